"""Turns text into token ids with the bundle's tokenizer.json. Training uses it too, so that both see the same tokens.

Unicode normalisation and unknown words are defined by the tokenizer file.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import tokenizers
from tokenizers import models

from ..chunks import chunks
from ..errors import BothendsError, BundleError, EngineError, RequestError
from ..options import Truncation
from ..text import printable
from .tokenizer_allowlist import check_parts
from .wordpiece import native_wordpiece, obstacle

_PIECE_CHARS = 1 << 16
_SHORT_CHARS = 1024
_WORD_MARKS = ("\u2581", "\u0120")
"""What vocabularies of BPE and Unigram write for the space before a word."""
_DECODERS = {"NoneType", "WordPiece", "ByteLevel", "Metaspace", "BPEDecoder"}
"""Types of decoders that join tokens in time that follows their number. Others may run patterns of the file's own."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of one sentence, cut to the model's limit."""

    ids: list[int]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Pieces(Tokens):
    """Tokens of a sentence, with each one's text in the vocabulary and its position in the sentence, in characters."""

    texts: list[str]
    places: list[tuple[int, int]]
    unknown: list[bool]
    """True for each token that is the one for all text that the vocabulary lacks."""


class Tokenizer:
    """Hugging Face tokenizer that cuts to `max_tokens` and reports when it does, and never pads."""

    def __init__(self, definition: str, *, max_tokens: int, source: Path) -> None:
        """Build it from the text of a tokenizer.json. Raises BundleError, naming `source`, if it is none."""
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(definition)
            self._tokenizer.no_padding()
            self._tokenizer.no_truncation()
            check_parts(self._tokenizer)
            self._tokenizer.encode("a")
        except BundleError as error:
            raise BundleError(f"{source} {error}") from None
        except BaseException as error:
            raise _mended(
                error, BundleError(f"{source} is no tokenizer that can be used: {printable(error)}")
            ) from error
        self._native = native_wordpiece(self._tokenizer)
        self._max_tokens = max_tokens
        self._source = source

    @cached_property
    def obstacle(self) -> str | None:
        """What native code doesn't know of this tokenizer, for a person; None where it knows all."""
        return None if self._native is not None else obstacle(self._tokenizer)

    @cached_property
    def vocabulary_size(self) -> int:
        """Largest token id, plus one."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @cached_property
    def unknown_id(self) -> int | None:
        """Id of the token that stands for all text that the vocabulary lacks; None if there is none."""
        model = json.loads(self._tokenizer.to_str())["model"]  # only Unigram's class doesn't tell
        text = model.get("unk_token")
        return model.get("unk_id") if text is None else self._tokenizer.token_to_id(text)

    def check_vocabulary(self, rows: int) -> None:
        """Raise BundleError unless an embedding table of `rows` rows has one for every id."""
        if self.vocabulary_size > rows:
            raise BundleError(
                f"{self._source}: the tokenizer has ids up to {self.vocabulary_size - 1}, the model a table of {rows}"
            )

    def vocabulary(self) -> list[str]:
        """Return every token's text by id, without the marks of a continued word; empty for an unused id."""
        texts = [self._tokenizer.id_to_token(index) or "" for index in range(self.vocabulary_size)]
        return [text.removeprefix("##") for text in texts]

    def token(self, index: int) -> str | None:
        """Return the text of the token with this id, as the vocabulary has it; None if no token has it."""
        text: str | None = self._tokenizer.id_to_token(index)
        return text

    @cached_property
    def continuing(self) -> frozenset[int]:
        """Ids of the tokens that go on with a word: between any other token and the one before it, a text can be cut.

        Native code (native/wordpiece) knows the same of the tokenizers that it runs.
        """
        model = self._tokenizer.model
        vocabulary: dict[str, int] = self._tokenizer.get_vocab(with_added_tokens=False)
        if prefix := getattr(model, "continuing_subword_prefix", None):
            return frozenset(index for text, index in vocabulary.items() if text.startswith(prefix))
        if not isinstance(model, models.BPE | models.Unigram):
            return frozenset()
        begins = {index for text, index in vocabulary.items() if text.startswith(_WORD_MARKS)}
        return frozenset(vocabulary.values()) - begins if begins else frozenset()

    def share(self) -> object | None:
        """Return a capsule with which native code encodes texts by itself; None if it can't."""
        return None if self._native is None else self._native.share()

    def encode(
        self,
        sentences: Sequence[str],
        *,
        truncation: Truncation = "start",
        check_deadline: Callable[[], None] = lambda: None,
    ) -> list[Tokens]:
        """Return the token ids of each sentence, in order; empty if a sentence has no tokens. Long input releases the
        GIL. Of one with more than `max_tokens`, `truncation` says what is kept; refusing it is the caller's.

        Long input is encoded in pieces, so that memory depends on the piece and not on the whole. `check_deadline` is
        called before each piece and may raise to give up. Raises EngineError if the tokenizer itself fails.
        """
        found: list[Tokens] = []
        for start, stop in chunks([len(text) for text in sentences], max_count=len(sentences), max_size=_PIECE_CHARS):
            check_deadline()
            found += self._tokens(sentences[start:stop], Kept.by(truncation, self._max_tokens))
        return found

    def pieces(
        self,
        sentences: Sequence[str],
        *,
        truncation: Truncation = "start",
        check_deadline: Callable[[], None] = lambda: None,
    ) -> list[Pieces]:
        """Return tokens like `encode`, with texts and positions; this takes longer."""
        found: list[Pieces] = []
        kept = Kept.by(truncation, self._max_tokens)
        for start, stop in chunks([len(text) for text in sentences], max_count=len(sentences), max_size=_PIECE_CHARS):
            check_deadline()
            for encoding in self._guarded(self._tokenizer.encode_batch, list(sentences[start:stop])):
                part = kept.of(len(encoding))
                ids = encoding.ids[part]
                unknown = [index == self.unknown_id for index in ids]
                cut = len(ids) < len(encoding)
                found.append(Pieces(ids, cut, encoding.tokens[part], encoding.offsets[part], unknown))
        return found

    def decode(self, ids: Sequence[Sequence[int]], *, skip_special_tokens: bool) -> list[str]:
        """Return the text of each list of ids from 0 to `vocabulary_size`, as the tokenizer joins tokens.

        It only approximates the original text: a WordPiece tokenizer loses case and some spaces. Raises RequestError if
        the tokenizer's decoder isn't supported, and EngineError if the tokenizer itself fails.
        """
        if (kind := type(self._tokenizer.decoder).__name__) not in _DECODERS:
            raise RequestError(f"this model's tokenizer has a decoder that isn't run here ({kind})", field="ids")
        try:
            return list(self._tokenizer.decode_batch(list(ids), skip_special_tokens=skip_special_tokens))
        except BaseException as error:
            name = type(error).__name__
            raise _mended(error, EngineError(f"the tokenizer failed ({name})")) from None

    def _tokens(self, texts: Sequence[str], kept: "Kept") -> list[Tokens]:
        """Tokenise `texts` natively if possible; the library reads those that are declined."""
        if self._native is None:
            return self._library_tokens(texts, kept)
        read = self._native.encode(texts, kept.most, keep_end=kept.is_end)
        declined = [text for text, tokens in zip(texts, read, strict=True) if tokens is None]
        others = iter(self._library_tokens(declined, kept) if declined else [])
        return [next(others) if tokens is None else Tokens(*tokens) for tokens in read]

    def _library_tokens(self, texts: Sequence[str], kept: "Kept") -> list[Tokens]:
        every = [encoding.ids for encoding in self._guarded(self._encode, texts)]
        return [Tokens(ids[kept.of(len(ids))], len(ids) > kept.most) for ids in every]

    def _guarded(
        self, encode: Callable[[Sequence[str]], list[tokenizers.Encoding]], texts: Sequence[str]
    ) -> list[tokenizers.Encoding]:
        try:
            return encode(texts)
        except BaseException as error:
            name = type(error).__name__  # its text may hold a caller's sentence
            raise _mended(error, EngineError(f"the tokenizer failed ({name})")) from None

    def _encode(self, texts: Sequence[str]) -> list[tokenizers.Encoding]:
        """Encode `texts`. One short sentence takes less time than letting go of the GIL and getting it back would."""
        if len(texts) == 1 and len(texts[0]) <= _SHORT_CHARS:
            return [self._tokenizer.encode(texts[0])]
        return list(self._tokenizer.encode_batch_fast(list(texts)))


class Kept(NamedTuple):
    """What is kept of a text's tokens: so many of the first, or of the last."""

    most: int
    is_end: bool

    @classmethod
    def by(cls, truncation: Truncation, max_tokens: int) -> Self:
        """Return what is kept for a model that reads `max_tokens`: all, where it reads them in pieces."""
        return cls(sys.maxsize if truncation == "pieces" else max_tokens, truncation == "end")

    def of(self, tokens: int) -> slice:
        """Return the part of so many tokens."""
        return slice(max(0, tokens - self.most), None) if self.is_end else slice(self.most)


def _mended(error: BaseException, instead: BothendsError) -> BaseException:
    """Return `instead` of what the library raised: a panic in it is a BaseException and would end a thread unseen."""
    return error if isinstance(error, KeyboardInterrupt | SystemExit) else instead
