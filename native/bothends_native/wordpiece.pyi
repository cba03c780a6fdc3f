"""The tokenizer: it turns text into ids of a WordPiece vocabulary."""

from collections.abc import Callable, Mapping, Sequence

class WordPiece:
    """A vocabulary, and how texts are split into its words. Safe to use from several threads at once."""

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        *,
        ask: Callable[[int], Sequence[tuple[str | Sequence[tuple[int, str]] | None, bool]]],
        added: Sequence[tuple[str, int, bool]] = (),
        before: Sequence[int] = (),
        after: Sequence[int] = (),
        prefix: str | None = None,
        unknown: str | None = None,
        max_chars: int = ...,
    ) -> None:
        """Make a tokenizer that asks what becomes of characters, by blocks of 256, when it first meets one of them.

        `ask` is given a block's first code point, from any thread; of no block of surrogates. For each character it
        returns what becomes of it, and whether it is a word's. The former is a text in which a space ends a word; or
        parts of Unicode's canonical order, a rank and a text each; or None, which declines texts with it. A text ends
        a run of marks, and so does a part of rank 0; others are written by their ranks, which are at most 255.

        `added` are tokens, with their ids, that are looked for in a text as it came, the longest first; with True only
        where no word touches them. `before` and `after` are ids that are set around each text's own. Entries that begin
        with `prefix` go on with a word; without it each entry is a whole word. A word that has no entries, or more than
        `max_chars` characters, is `unknown`, or is left out. Raises ValueError where `unknown` is no entry or an answer
        is malformed, and what `ask` raises.
        """

    def share(self) -> object:
        """What `transport.FastPath` borrows."""

    def encode(
        self, texts: Sequence[str], max_tokens: int, *, keep_end: bool = False
    ) -> list[tuple[list[int], bool] | None]:
        """Ids of each text, the first `max_tokens` of them or the last, and whether there were more.

        None for a text with a character that isn't known, in the part that was read; for one that has no UTF-8; and for
        one without ids of its own, if some are set around it.
        Releases the GIL for long texts. Raises what `ask` raises.
        """
