"""Checks the sentences or token ids of a request, and turns them into the tokens that the model reads."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard, TypeVar, cast

from ..engines.contract import TokenIds
from ..errors import LongSentenceError, RequestError, SentenceError
from ..model.bundle import BundleConfig
from ..model.tokenizer import Kept, Pieces, Tokenizer, Tokens
from ..options import DEFAULT_OPTIONS, Options
from ..text import is_blank, unicode_problem

Sentences: TypeAlias = Sequence[str] | Sequence[TokenIds]
"""Texts, or token ids of the model's own tokenizer; not a mixture."""
OnError: TypeAlias = Callable[[SentenceError], None]
"""Function that is called with the error of a sentence that can't be read; if it returns, the others are read."""
TokensT = TypeVar("TokensT", bound=Tokens)
FEW = 16
"""Most sentences of a small request: small ones that come together are read, run and answered at once."""
SHORT_BYTES = 4096
"""Most bytes of a small request, and most characters of its sentences. A longer one is read in its caller's turn."""


def no_sentences() -> RequestError:
    """Return the error for a request without anything to embed."""
    return RequestError("there are no sentences; send at least one")


def refuse(error: SentenceError) -> None:
    """Raise `error`, so that one unreadable sentence fails its whole request."""
    try:
        raise error
    finally:
        del error  # it holds this frame, which holds it: a circle would wait for the garbage collector


def is_text(sentences: Sentences) -> TypeGuard[Sequence[str]]:
    """Return True if `sentences` are texts, False if they are token ids."""
    return isinstance(sentences[0], str)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bounds on one request."""

    sentences: int
    sentence_chars: int
    tokens: int


class InputReader:
    """Reader of requests for one model: checks them against its limits, and tokenises them."""

    def __init__(self, tokenizer: Tokenizer, config: BundleConfig, limits: RequestLimits) -> None:
        self._tokenizer = tokenizer
        self._config = config
        self._limits = limits

    def check(self, count: int, options: Options) -> None:
        """Raise RequestError if there are too many sentences, or the model doesn't support these options."""
        if not count:
            raise no_sentences()
        if count > self._limits.sentences:
            raise RequestError(
                f"{count} sentences are more than this server's limit of {self._limits.sentences} a request",
                costs=self._limits.sentences,
            )
        if options.dimensions is not None and options.dimensions not in self._config.sizes:
            sizes = ", ".join(map(str, self._config.sizes))
            raise RequestError(
                f"{options.dimensions} dimensions can't be had; this model offers {sizes}",
                field="dimensions",
            )

    def min_tokens(self, sentences: Sentences, options: Options) -> int:
        """Return the smallest number of tokens that `sentences` can have: one for each text, or the ids that are
        kept.
        """
        if is_text(sentences):
            return len(sentences)
        most = Kept.by(options.truncation, self._config.max_tokens).most
        return sum(min(len(ids), most) for ids in sentences)

    def read(
        self, sentences: Sentences, options: Options, *, check_deadline: Callable[[], None], on_error: OnError = refuse
    ) -> list[Tokens]:
        """Return the tokens of each readable sentence, in order. `on_error` is called with the error of each other; by
        default it raises that.

        `check_deadline` is called now and then; it may raise.
        """
        if not is_text(sentences):
            ids = cast("Sequence[TokenIds]", sentences)
            return self._checked(self._cut(ids, options, on_error), options, on_error)
        texts = self._texts(sentences, on_error)
        read = self._tokenizer.encode(
            list(texts.values()), truncation=options.truncation, check_deadline=check_deadline
        )
        return self._checked(zip(texts, read, strict=True), options, on_error)

    def pieces(self, sentences: Sequence[str], options: Options, *, check_deadline: Callable[[], None]) -> list[Pieces]:
        """Return tokens like `read`, with each one's text and position; an unreadable sentence fails the whole
        request.
        """
        texts = self._texts(sentences, refuse)
        read = self._tokenizer.pieces(
            list(texts.values()), truncation=options.truncation, check_deadline=check_deadline
        )
        return self._checked(zip(texts, read, strict=True), options, refuse)

    def decode(self, ids: Sequence[TokenIds], *, skip_special_tokens: bool) -> list[str]:
        """Return the text of each list of token ids, without the texts of special tokens if `skip_special_tokens`; an
        id outside the table fails the whole request.
        """
        self.check(len(ids), DEFAULT_OPTIONS)
        if (total := sum(map(len, ids))) > self._limits.tokens:
            raise RequestError(f"{total} tokens are more than this server's limit of {self._limits.tokens} a request")
        for index, of in enumerate(ids):
            self._check_ids(index, of, refuse)
        return self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)

    def _texts(self, sentences: Sequence[str], on_error: OnError) -> dict[int, str]:
        """The texts among `sentences` that may be tokenised, by their places."""
        found: dict[int, str] = {}
        most = self._limits.sentence_chars
        for index, sentence in enumerate(sentences):
            if len(sentence) > most:
                on_error(SentenceError(index, f"has {len(sentence)} characters; this server's limit is {most}"))
            elif is_blank(sentence):
                on_error(SentenceError(index, "is empty; a sentence needs at least one word"))
            elif (problem := unicode_problem(sentence)) is not None:
                on_error(SentenceError(index, problem))
            else:
                found[index] = sentence
        return found

    def _cut(self, sentences: Sequence[TokenIds], options: Options, on_error: OnError) -> Iterator[tuple[int, Tokens]]:
        """Token ids as a tokenizer would have given them. One past the table would fail its whole batch."""
        kept = Kept.by(options.truncation, self._config.max_tokens)
        for index, ids in enumerate(sentences):
            if self._check_ids(index, ids, on_error):
                yield index, Tokens(list(ids[kept.of(len(ids))]), len(ids) > kept.most)

    def _check_ids(self, index: int, ids: TokenIds, on_error: OnError) -> bool:
        """Return whether all `ids` are the table's."""
        ids_end = self._config.vocabulary_size
        if ids and not 0 <= min(ids) <= max(ids) < ids_end:
            on_error(SentenceError(index, f"has token ids that aren't from 0 to {ids_end - 1}"))
            return False
        return True

    def _checked(self, read: Iterable[tuple[int, TokensT]], options: Options, on_error: OnError) -> list[TokensT]:
        found: list[TokensT] = []
        for index, tokens in read:
            if (problem := self._problem(index, tokens, options)) is None:
                found.append(tokens)
                continue
            try:
                on_error(problem)
            finally:
                del problem  # raised, it holds this frame and all texts, which would wait for the garbage collector
        if (total := sum(len(tokens.ids) for tokens in found)) > self._limits.tokens:
            raise RequestError(f"{total} tokens are more than this server's limit of {self._limits.tokens} a request")
        return found

    def _problem(self, index: int, tokens: Tokens, options: Options) -> SentenceError | None:
        if not tokens.ids:
            return SentenceError(index, "holds nothing that the model's tokenizer can read")
        if tokens.truncated and options.truncation == "error":
            return LongSentenceError(index, f"has more than the {self._config.max_tokens} tokens that the model reads")
        return None
