"""HTTP response to a call that failed: a status, headers, and JSON in the format that the front's callers expect."""

import math
from collections.abc import Callable
from typing import NamedTuple, Self, TypeAlias

import orjson
from google.rpc import code_pb2, error_details_pb2, status_pb2

from ...wire.status import unpacked

JSON = "application/json"
HTTP_STATUSES: dict[int, int] = {
    code_pb2.OK: 200,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.UNAUTHENTICATED: 401,
    code_pb2.NOT_FOUND: 404,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.INTERNAL: 500,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DEADLINE_EXCEEDED: 504,
}
"""HTTP status of each gRPC status."""
_RETRY_S = 1.0
"""Seconds after which to try again, where the status doesn't say: a server that stops may be back or replaced."""

RenderError: TypeAlias = Callable[[int, status_pb2.Status], bytes]
"""Function from an HTTP status, and what a gRPC caller would get, to the JSON that a front's callers expect."""
StatusOf: TypeAlias = Callable[[status_pb2.Status], int]
"""Function from what a gRPC caller would get to the HTTP status that a front's callers expect."""


class Failure(NamedTuple):
    """Response to a call that failed."""

    code: int
    headers: dict[str, str]
    content: bytes


class UnfitError(Exception):
    """Error that has an HTTP status of its own, `code`; `message` is one line for people."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Blame(NamedTuple):
    """Part of a request that caused an error, by the name that the front's callers know."""

    message: str
    """One line for a person."""
    field: str
    """Name such as `input[3]`; empty for the request as a whole, or no part of it."""
    reason: str
    """Reason in the status, as in wire/status.py; empty if it has none."""

    @classmethod
    def of(cls, status: status_pb2.Status, *, sentences: str) -> Self:
        """Read it from the details of `status`. `sentences` is the front's name for the field of sentences."""
        info = unpacked(status, error_details_pb2.ErrorInfo())
        bad = unpacked(status, error_details_pb2.BadRequest())
        field = bad.field_violations[0].field if bad and bad.field_violations else ""
        message = status.message
        if field.startswith("sentences"):
            field = field.replace("sentences", sentences, 1)
            if message.startswith("sentences["):
                message = message.replace("sentences[", f"{sentences}[", 1)
        return cls(message, "" if field == "request" else field, info.reason if info else "")


def status_of(status: status_pb2.Status) -> int:
    """Return the HTTP status for a gRPC status, by its code alone."""
    return HTTP_STATUSES.get(status.code, 500)


def render_error(code: int, status: status_pb2.Status) -> bytes:
    """Write an error as JSON in the default format, for callers of no particular front."""
    return orjson.dumps({"error": {"message": status.message, "code": code}})


def failure(
    status: status_pb2.Status,
    render_error: RenderError,
    *,
    status_of: StatusOf = status_of,
    unfit: UnfitError | None = None,
) -> Failure:
    """Make the response that reports `status`, or `unfit` instead if HTTP has a status of its own for the error."""
    code, message = (unfit.code, unfit.message) if unfit else (status_of(status), status.message)
    shown = status_pb2.Status(code=status.code, message=message, details=status.details)
    return Failure(code, {"Content-Type": JSON, **_headers(code, shown)}, render_error(code, shown))


def too_large(max_bytes: int) -> UnfitError:
    """Make the error for a body of more than `max_bytes` bytes."""
    return UnfitError(413, f"the request's body has more than this server's limit of {max_bytes} bytes")


def inflates_too_far(max_bytes: int) -> UnfitError:
    """Make the error for a compressed body that becomes more than `max_bytes` bytes."""
    return UnfitError(
        413, f"the request's body has more than this server's limit of {max_bytes} bytes once it is inflated"
    )


def late(body_s: float) -> UnfitError:
    """Make the error for a body that didn't arrive within `body_s` seconds."""
    return UnfitError(408, f"the request's body didn't come within {body_s:g} s")


def crowded() -> UnfitError:
    """Make the error for a body that is dropped because too many bytes are arriving at once."""
    return UnfitError(429, "too many bytes of requests are on their way; come again")


def unknown_encoding(encoding: str, *, takes_gzip: bool) -> UnfitError:
    """Make the error for a body with an unsupported content-encoding."""
    instead = "send the JSON as it is, or by gzip" if takes_gzip else "send the JSON as it is"
    return UnfitError(415, f"the content-encoding {encoding[:80]!r} isn't known here; {instead}")


def no_gzip() -> UnfitError:
    """Make the error for a body that claims to be gzip and isn't."""
    return UnfitError(400, "the body's content-encoding is gzip, and the bytes aren't valid gzip")


def _headers(code: int, status: status_pb2.Status) -> dict[str, str]:
    """Make the headers in which HTTP says a part of `status`."""
    if code == 401:
        return {"WWW-Authenticate": "Bearer"}
    if code not in (429, 503):
        return {}
    retry = unpacked(status, error_details_pb2.RetryInfo())
    seconds = retry.retry_delay.ToNanoseconds() / 1e9 if retry else _RETRY_S
    return {"Retry-After": str(math.ceil(seconds)), "retry-after-ms": str(math.ceil(seconds * 1000))}
