"""Sentences, or token ids, to the tokens that the model reads of each, or an error. Knows no queue and no front."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias, TypeGuard, TypeVar, cast

from ..engines.contract import TokenIds
from ..errors import BothendsError, EngineError, LongSentenceError, RequestError, SentenceError
from ..model.bundle import BundleConfig
from ..model.tokenizer import Pieces, Tokenizer, Tokens
from ..options import Options
from ..text import unicode_problem

Sentences: TypeAlias = Sequence[str] | Sequence[TokenIds]
"""Texts, or token ids of the model's own tokenizer; not a mixture."""
OnError: TypeAlias = Callable[[SentenceError], None]
"""Callback that gets the error of a sentence that can't be read; if it returns, the others are read."""
TokensT = TypeVar("TokensT", bound=Tokens)
FoundT = TypeVar("FoundT")


def refuse(error: SentenceError) -> None:
    """Raise `error`: a sentence that can't be read fails its whole request."""
    try:
        raise error
    finally:
        del error  # it holds this frame, which holds it: a circle would wait for the garbage collector


def is_text(sentences: Sentences) -> TypeGuard[Sequence[str]]:
    """Return whether `sentences` are texts."""
    return isinstance(sentences[0], str)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bounds of one request."""

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
        """Raise RequestError where `count` sentences, or these options, can't be had."""
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

    def fewest_tokens(self, sentences: Sentences) -> int:
        """Tokens that `sentences` have at least, if all can be read: of text one a sentence, of ids what is kept."""
        if is_text(sentences):
            return len(sentences)
        return sum(min(len(ids), self._config.max_tokens) for ids in sentences)

    def read(
        self, sentences: Sentences, options: Options, *, check_deadline: Callable[[], None], on_error: OnError = refuse
    ) -> list[Tokens]:
        """Tokens of each sentence that can be read, in order. `check_deadline` is called now and then; it may raise."""
        if not is_text(sentences):
            ids = cast("Sequence[TokenIds]", sentences)
            return self._checked(self._cut(ids, options, on_error), options, on_error)
        texts = self._texts(sentences, on_error)
        keep_end = options.truncation == "end"
        read = self._tokenizer.encode(list(texts.values()), keep_end=keep_end, check_deadline=check_deadline)
        return self._checked(zip(texts, read, strict=True), options, on_error)

    def read_all(self, requests: Sequence[tuple[Sentences, Options]]) -> list[list[Tokens] | BothendsError]:
        """Check and read each request, the texts of all of them at once; one that can't be read has its error."""
        found = [self._attempt(self._readable, sentences, options) for sentences, options in requests]
        texts = [text for of in found if isinstance(of, dict) for text in of.values()]
        try:
            read = iter(self._tokenizer.encode(texts))
        except EngineError:  # for the sake of one of them
            return [self._attempt(self._read_alone, sentences, options) for sentences, options in requests]
        return [
            self._attempt(self._checked, zip(of, islice(read, len(of)), strict=True), options, refuse)
            if isinstance(of, dict)
            else of
            for of, (_, options) in zip(found, requests, strict=True)
        ]

    def _readable(self, sentences: Sentences, options: Options) -> dict[int, str] | list[Tokens]:
        """Return the texts that can be read with other requests' texts, or tokens where they can't."""
        self.check(len(sentences), options)
        if is_text(sentences) and options.truncation != "end":
            return self._texts(sentences, refuse)
        return self._read_alone(sentences, options)

    def _read_alone(self, sentences: Sentences, options: Options) -> list[Tokens]:
        return self.read(sentences, options, check_deadline=lambda: None)

    def _attempt(self, act: Callable[..., FoundT], *arguments: Any) -> FoundT | BothendsError:
        try:
            return act(*arguments)
        except BothendsError as error:
            return error.with_traceback(
                None
            )  # its frames hold what holds it: a circle would wait for the garbage collector

    def pieces(self, sentences: Sequence[str], options: Options, *, check_deadline: Callable[[], None]) -> list[Pieces]:
        """Tokens as `read` gives them, with each one's text and place; a sentence that can't be read fails all."""
        texts = self._texts(sentences, refuse)
        keep_end = options.truncation == "end"
        read = self._tokenizer.pieces(list(texts.values()), keep_end=keep_end, check_deadline=check_deadline)
        return self._checked(zip(texts, read, strict=True), options, refuse)

    def _texts(self, sentences: Sequence[str], on_error: OnError) -> dict[int, str]:
        """The texts among `sentences` that may be tokenised, by their places."""
        found: dict[int, str] = {}
        most = self._limits.sentence_chars
        for index, sentence in enumerate(sentences):
            if len(sentence) > most:
                on_error(SentenceError(index, f"has {len(sentence)} characters; this server's limit is {most}"))
            elif not sentence or sentence.isspace():
                on_error(SentenceError(index, "is empty; a sentence needs at least one word"))
            elif (problem := unicode_problem(sentence)) is not None:
                on_error(SentenceError(index, problem))
            else:
                found[index] = sentence
        return found

    def _cut(self, sentences: Sequence[TokenIds], options: Options, on_error: OnError) -> Iterator[tuple[int, Tokens]]:
        """Token ids as a tokenizer would have given them. One past the table would fail its whole batch."""
        most, ids_end = self._config.max_tokens, self._config.vocabulary_size
        for index, ids in enumerate(sentences):
            if ids and not 0 <= min(ids) <= max(ids) < ids_end:
                on_error(SentenceError(index, f"has token ids that aren't from 0 to {ids_end - 1}"))
            else:
                kept = ids[max(0, len(ids) - most) :] if options.truncation == "end" else ids[:most]
                yield index, Tokens(list(kept), len(ids) > most)

    def _checked(self, read: Iterable[tuple[int, TokensT]], options: Options, on_error: OnError) -> list[TokensT]:
        found: list[TokensT] = []
        for index, tokens in read:
            if (problem := self._problem(index, tokens, options)) is None:
                found.append(tokens)
            else:
                on_error(problem)
        if (total := sum(len(tokens.ids) for tokens in found)) > self._limits.tokens:
            raise RequestError(f"{total} tokens are more than this server's limit of {self._limits.tokens} a request")
        return found

    def _problem(self, index: int, tokens: Tokens, options: Options) -> SentenceError | None:
        if not tokens.ids:
            return SentenceError(index, "holds nothing that the model's tokenizer can read")
        if tokens.truncated and options.truncation == "error":
            return LongSentenceError(index, f"has more than the {self._config.max_tokens} tokens that the model reads")
        return None
