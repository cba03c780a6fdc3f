"""Bounds on what a client puts into one request: the server's limits, or the client's own if those are lower."""

from typing import NamedTuple, Self

from ..errors import BothendsError, SentenceError
from ..text import unicode_problem
from ..v1 import embedding_pb2

_CHUNK_SENTENCES = 128
_CHUNK_BYTES = 1 << 20
_OVERHEAD_BYTES = 64
"""Upper bound on the bytes of a request other than its one sentence."""


class ChunkLimits(NamedTuple):
    """Limits for one request: the server's, or sensible ones where those are lower."""

    chunk_sentences: int
    chunk_bytes: int
    """Most bytes of text, and no more than the server takes tokens, since it may be told to cut none of it. Each
    sentence has a few around it, and a chunk of one is sent whatever its size."""
    message_bytes: int
    """Most bytes of one sentence."""

    @classmethod
    def of(cls, model: embedding_pb2.Model, server: str) -> Self:
        """Read the limits from `model`. Raises BothendsError, which names `server`, if no request could hold any
        sentence.

        Without that check, each sentence would be sent in a request of its own, in vain.
        """
        largest = model.max_message_bytes
        if model.max_sentences < 1 or largest <= _OVERHEAD_BYTES:
            raise BothendsError(
                f"{server} says that no request may hold a sentence: max_sentences is {model.max_sentences}, "
                f"max_message_bytes is {largest}"
            )
        most = min(_CHUNK_BYTES, largest // 2, model.max_request_tokens or _CHUNK_BYTES)
        return cls(min(_CHUNK_SENTENCES, model.max_sentences), most, largest - _OVERHEAD_BYTES)


def encoded_size(index: int, sentence: str) -> int:
    """Return the size of `sentence` on the wire in bytes.

    Raises TypeError if it isn't a string, and SentenceError if it isn't valid Unicode.
    """
    if not isinstance(sentence, str):
        raise TypeError(f"sentences[{index}] is of type {type(sentence).__name__}, not a string")
    if (problem := unicode_problem(sentence)) is not None:
        raise SentenceError(index, problem)
    return len(sentence) if sentence.isascii() else len(sentence.encode())
