"""Statuses and words of HTTP by which text-embeddings-inference's clients know why a request failed."""

import orjson
from google.rpc import code_pb2, status_pb2

from ....core.inputs import no_sentences
from ...http import failure
from ...http.failure import Blame

_EMPTY = no_sentences().reason
_TYPES = {424: "Backend", 429: "Overloaded", 500: "Backend", 503: "Unhealthy", 504: "Overloaded"}
"""Kind of error by the HTTP status; all others are one of the request's own."""


def status_of(status: status_pb2.Status) -> int:
    """Return the HTTP status of what gRPC's callers would get.

    413 is for a text that is too long and for too many of them: clients send less at once then. 422 is for all else
    that is wrong with a request, but that it holds nothing.
    """
    blame = Blame.of(status, sentences="sentences")
    if status.code == code_pb2.INVALID_ARGUMENT:
        if blame.message == _EMPTY:
            return 400
        return 413 if blame.reason == "LONG_SENTENCE" or blame.field == "sentences" else 422
    return 424 if blame.reason == "ENGINE" else failure.status_of(status)


def render_error(code: int, status: status_pb2.Status, *, sentences: str = "inputs") -> bytes:
    """Write an error as the API's clients read it. They know the texts as `sentences`."""
    message, _, reason = Blame.of(status, sentences=sentences)
    if message == _EMPTY:
        message = f"`{sentences}` is empty; send at least one text"
    kind = "Tokenizer" if reason == "INVALID_SENTENCE" else "Empty" if status.message == _EMPTY else "Validation"
    return orjson.dumps({"error": message, "error_type": _TYPES.get(code, kind)})
