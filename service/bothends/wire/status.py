"""Converts errors to google.rpc.Status and back, by one table that server and client share."""

from contextlib import suppress
from functools import lru_cache
from typing import TypeAlias, TypeVar

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from ..errors import (
    BothendsError,
    ConnectionFailedError,
    DeadlineError,
    DrainingError,
    EngineError,
    LongSentenceError,
    NotServingError,
    OverloadedError,
    QuotaError,
    RequestError,
    SentenceError,
    UnauthenticatedError,
    UnknownModelError,
)
from ..text import printable

DOMAIN = "bothends"

_Detail: TypeAlias = error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo
_DetailT = TypeVar("_DetailT", error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)

# The most derived class comes first: the first row that an error is an instance of gives its code and reason.
TABLE: tuple[tuple[type[BothendsError], int, str], ...] = (
    (LongSentenceError, code_pb2.INVALID_ARGUMENT, "LONG_SENTENCE"),
    (SentenceError, code_pb2.INVALID_ARGUMENT, "INVALID_SENTENCE"),
    (UnknownModelError, code_pb2.NOT_FOUND, "UNKNOWN_MODEL"),
    (RequestError, code_pb2.INVALID_ARGUMENT, "INVALID_REQUEST"),
    (UnauthenticatedError, code_pb2.UNAUTHENTICATED, "UNAUTHENTICATED"),
    (QuotaError, code_pb2.RESOURCE_EXHAUSTED, "QUOTA"),
    (OverloadedError, code_pb2.RESOURCE_EXHAUSTED, "OVERLOADED"),
    (DrainingError, code_pb2.UNAVAILABLE, "DRAINING"),
    (NotServingError, code_pb2.UNAVAILABLE, "NOT_SERVING"),
    (DeadlineError, code_pb2.DEADLINE_EXCEEDED, "DEADLINE"),
    (EngineError, code_pb2.INTERNAL, "ENGINE"),
)
_DEFAULT_RETRY_S = 1.0
_MAX_DIGITS = 12
"""Largest number of digits in a sentence's index, more than any request needs."""
_INTERNAL_MESSAGES: dict[type[BothendsError], str] = {EngineError: "the model run failed"}
"""Messages to callers about errors that aren't theirs: the text of these and all others is for the operator's log."""


def to_status(error: BothendsError) -> status_pb2.Status:
    """Return the status for `error`, with ErrorInfo, and BadRequest or RetryInfo where they apply."""
    code, reason = next(
        ((code, reason) for kind, code, reason in TABLE if isinstance(error, kind)), (code_pb2.INTERNAL, "INTERNAL")
    )
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)
    if isinstance(error, SentenceError):
        info.metadata["index"] = str(error.index)
    details: list[any_pb2.Any] = [_packed(info)]
    if isinstance(error, RequestError):
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.reason)
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if isinstance(error, OverloadedError):
        delay = duration_pb2.Duration(nanos=0)
        delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    message = str(error) if code != code_pb2.INTERNAL else _INTERNAL_MESSAGES.get(type(error), "internal error")
    return status_pb2.Status(code=code, message=message, details=details)


def sentence_status(error: SentenceError, index: int) -> status_pb2.Status:
    """Return the status for the error of a sentence at `index`. It is the same cached message each time: don't modify
    it.

    Making one takes as long as tokenising a sentence, and an empty sentence takes a caller two bytes to send.
    """
    return _sentence_status(isinstance(error, LongSentenceError), index, error.reason)


@lru_cache(4096)
def _sentence_status(is_long: bool, index: int, reason: str) -> status_pb2.Status:
    return to_status((LongSentenceError if is_long else SentenceError)(index, reason))


def from_status(status: status_pb2.Status) -> BothendsError:
    """Return the error for `status`. A status without bothends' details is read by its code alone.

    Details that make no sense are left out, and text is made printable, since the server may be another project's.
    """
    message = printable(status.message)
    info = unpacked(status, error_details_pb2.ErrorInfo())
    if info is not None and info.domain == DOMAIN:
        kind = next((kind for kind, _, reason in TABLE if reason == info.reason), BothendsError)
    else:
        kind = _BY_CODE.get(status.code, BothendsError)
    if issubclass(kind, SentenceError) and info is not None:
        if (index := _index(info)) is None:
            return RequestError(message)
        bad = unpacked(status, error_details_pb2.BadRequest())
        reason = printable(bad.field_violations[0].description) if bad and bad.field_violations else message
        return kind(index, reason)
    if issubclass(kind, OverloadedError):
        retry = unpacked(status, error_details_pb2.RetryInfo())
        delay = retry.retry_delay.ToNanoseconds() / 1e9 if retry is not None else _DEFAULT_RETRY_S
        return kind(message, retry_after_s=max(0.0, delay))
    return kind(message)


_BY_CODE: dict[int, type[BothendsError]] = {
    code_pb2.INVALID_ARGUMENT: RequestError,
    code_pb2.RESOURCE_EXHAUSTED: OverloadedError,
    code_pb2.UNAUTHENTICATED: UnauthenticatedError,
    code_pb2.UNAVAILABLE: ConnectionFailedError,
    code_pb2.DEADLINE_EXCEEDED: DeadlineError,
    code_pb2.INTERNAL: EngineError,
}


def _packed(detail: _Detail) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def unpacked(status: status_pb2.Status, into: _DetailT) -> _DetailT | None:
    """Parse the detail of the type of `into` into it, and return it; None if `status` has none."""
    for detail in status.details:
        with suppress(DecodeError):
            if detail.Unpack(into):
                return into
    return None


def _index(info: error_details_pb2.ErrorInfo) -> int | None:
    digits = info.metadata.get("index", "")
    return int(digits) if len(digits) < _MAX_DIGITS and digits.isascii() and digits.isdecimal() else None
