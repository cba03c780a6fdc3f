"""Sentences, or token ids, to what the model reads of each, or why it can't. Knows no queue and no front."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard, TypeVar, cast

from ..engines.contract import TokenIds
from ..errors import LongSentenceError, RequestError, SentenceError
from ..model.bundle import BundleConfig
from ..model.tokenizer import Pieces, Tokenizer, Tokens
from ..options import Options
from ..text import unicode_problem

Sentences: TypeAlias = Sequence[str] | Sequence[TokenIds]
"""Texts, or token ids of the model's own tokenizer; not a mixture."""
Unreadable: TypeAlias = Callable[[SentenceError], None]
"""Told of a sentence that can't be read; if it returns, the others are read."""
TokensT = TypeVar("TokensT", bound=Tokens)


def refuse(error: SentenceError) -> None:
    """Let one sentence that can't be read fail its whole request."""
    try:
        raise error
    finally:
        del error  # it holds this frame, which holds it: a circle would wait for the garbage collector


def is_text(sentences: Sentences) -> TypeGuard[Sequence[str]]:
    """Whether they are texts."""
    return isinstance(sentences[0], str)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Of one request."""

    sentences: int
    sentence_chars: int
    tokens: int


class InputReader:
    """A model's tokenizer with what requests may ask of it."""

    def __init__(self, tokenizer: Tokenizer, config: BundleConfig, limits: RequestLimits) -> None:
        self._tokenizer = tokenizer
        self._config = config
        self._limits = limits

    def check(self, count: int, options: Options) -> None:
        """Raises RequestError where so many sentences, or these options, can't be had."""
        if not count:
            raise RequestError("there are no sentences; send at least one")
        if count > self._limits.sentences:
            raise RequestError(
                f"{count} sentences are more than this server's limit of {self._limits.sentences} a request"
            )
        if options.dimensions is not None and options.dimensions not in self._config.sizes:
            sizes = ", ".join(map(str, self._config.sizes))
            raise RequestError(
                f"{options.dimensions} dimensions can't be had; this model offers {sizes}",
                field="dimensions",
            )

    def read(
        self, sentences: Sentences, options: Options, *, between: Callable[[], None], unreadable: Unreadable = refuse
    ) -> list[Tokens]:
        """Tokens of each sentence that can be read, in order. `between` is called now and then, and may give up."""
        if not is_text(sentences):
            ids = cast("Sequence[TokenIds]", sentences)
            return self._checked(self._cut(ids, options, unreadable), options, unreadable)
        texts = self._texts(sentences, unreadable)
        read = self._tokenizer.encode(list(texts.values()), keep_end=options.truncation == "end", between=between)
        return self._checked(zip(texts, read, strict=True), options, unreadable)

    def pieces(self, sentences: Sequence[str], options: Options, *, between: Callable[[], None]) -> list[Pieces]:
        """As `read`, with each token's text and place; one that can't be read fails all."""
        texts = self._texts(sentences, refuse)
        read = self._tokenizer.pieces(list(texts.values()), keep_end=options.truncation == "end", between=between)
        return self._checked(zip(texts, read, strict=True), options, refuse)

    def _texts(self, sentences: Sequence[str], unreadable: Unreadable) -> dict[int, str]:
        """The texts among `sentences` that may be tokenised, by their places."""
        found: dict[int, str] = {}
        most = self._limits.sentence_chars
        for index, sentence in enumerate(sentences):
            if len(sentence) > most:
                unreadable(SentenceError(index, f"has {len(sentence)} characters; this server's limit is {most}"))
            elif not sentence or sentence.isspace():
                unreadable(SentenceError(index, "is empty; a sentence needs at least one word"))
            elif (problem := unicode_problem(sentence)) is not None:
                unreadable(SentenceError(index, problem))
            else:
                found[index] = sentence
        return found

    def _cut(
        self, sentences: Sequence[TokenIds], options: Options, unreadable: Unreadable
    ) -> Iterator[tuple[int, Tokens]]:
        """Token ids as a tokenizer would have given them. One past the table would fail its whole batch."""
        most, ids_end = self._config.max_tokens, self._config.vocabulary_size
        for index, ids in enumerate(sentences):
            if ids and not 0 <= min(ids) <= max(ids) < ids_end:
                unreadable(SentenceError(index, f"has token ids that aren't from 0 to {ids_end - 1}"))
            else:
                kept = ids[max(0, len(ids) - most) :] if options.truncation == "end" else ids[:most]
                yield index, Tokens(list(kept), len(ids) > most)

    def _checked(self, read: Iterable[tuple[int, TokensT]], options: Options, unreadable: Unreadable) -> list[TokensT]:
        found: list[TokensT] = []
        for index, tokens in read:
            if (problem := self._problem(index, tokens, options)) is None:
                found.append(tokens)
            else:
                unreadable(problem)
        if (total := sum(len(tokens.ids) for tokens in found)) > self._limits.tokens:
            raise RequestError(f"{total} tokens are more than this server's limit of {self._limits.tokens} a request")
        return found

    def _problem(self, index: int, tokens: Tokens, options: Options) -> SentenceError | None:
        if not tokens.ids:
            return SentenceError(index, "holds nothing that the model's tokenizer can read")
        if tokens.truncated and options.truncation == "error":
            return LongSentenceError(index, f"has more than the {self._config.max_tokens} tokens that the model reads")
        return None
