"""The tokenizer: it turns text into ids of a WordPiece vocabulary."""

from collections.abc import Mapping, Sequence

class WordPiece:
    """A vocabulary, and how texts are split into its words. Safe to use from several threads at once."""

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        *,
        characters: Mapping[str, str],
        added: Sequence[str],
        prefix: str,
        unknown: str,
        max_chars: int,
    ) -> None:
        """Know what becomes of `characters`, each by itself: a space in that ends a word, and nothing else does.

        Entries that begin with `prefix` go on with a word. A word that has no entries, or more than `max_chars`
        characters, is `unknown`. Raises ValueError where `unknown` is no entry, or a key of `characters` isn't one.
        """

    def share(self) -> object:
        """What `transport.FastPath` borrows."""

    def encode(
        self, texts: Sequence[str], max_tokens: int, *, keep_end: bool = False
    ) -> list[tuple[list[int], bool] | None]:
        """Ids of each text, the first `max_tokens` of them or the last, and whether there were more.

        None for a text with a token of `added` or a character that isn't known, in the part that was read, and for one
        of more than 65,536 characters. Holds the GIL.
        """
