"""HTTP statuses and error texts that text-embeddings-inference's clients expect."""

import orjson
from google.rpc import code_pb2, status_pb2

from ....core.inputs import no_sentences
from ...http import failure
from ...http.failure import Blame

_EMPTY = no_sentences().reason
_TYPES = {424: "Backend", 429: "Overloaded", 500: "Backend", 503: "Unhealthy", 504: "Overloaded"}
"""Kind of error by the HTTP status; all others are one of the request's own."""


def status_of(status: status_pb2.Status) -> int:
    """Return the HTTP status for a gRPC status.

    413 means that a text is too long or that there are too many, so that clients send less at once. Other invalid
    requests get 422, except that an empty one gets 400.
    """
    blame = Blame.of(status, sentences="sentences")
    if status.code == code_pb2.INVALID_ARGUMENT:
        if blame.message == _EMPTY:
            return 400
        return 413 if blame.reason == "LONG_SENTENCE" or blame.field == "sentences" else 422
    return 424 if blame.reason == "ENGINE" else failure.status_of(status)


def render_error(code: int, status: status_pb2.Status, *, sentences: str = "inputs") -> bytes:
    """Write an error as JSON that the API's clients understand. `sentences` is their name for the field of texts."""
    message, _, reason = Blame.of(status, sentences=sentences)
    if message == _EMPTY:
        message = f"`{sentences}` is empty; send at least one text"
    kind = "Tokenizer" if reason == "INVALID_SENTENCE" else "Empty" if status.message == _EMPTY else "Validation"
    return orjson.dumps({"error": message, "error_type": _TYPES.get(code, kind)})
