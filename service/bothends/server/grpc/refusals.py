"""Statuses with which a gRPC transport refuses calls by itself, made from the settings."""

from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from ...errors import (
    BothendsError,
    DeadlineError,
    DrainingError,
    OverloadedError,
    QuotaError,
    Refusal,
    RequestError,
    UnauthenticatedError,
)
from ...settings import GrpcSettings
from ...wire.status import DOMAIN, to_status
from ..keys import NO_KEY, UNKNOWN_KEY
from ..quota import OVER_CONCURRENCY, OVER_RATE
from .contract import Reason, Status

_RETRY_S = 0.1
"""Seconds after which to try again, where a place may be free at any moment."""
_LATE_RETRY_S = 0.5
"""The same where more comes than can be answered."""
COUNTED: dict[Reason, Refusal] = {
    Reason.no_key: "unauthenticated",
    Reason.unknown_key: "unauthenticated",
    Reason.full: "full",
    Reason.room: "full",
    Reason.crowded: "full",
    Reason.connections: "full",
    Reason.late: "full",
    Reason.unread: "full",
    Reason.expired: "deadline",
    Reason.draining: "draining",
    Reason.slow: "invalid",
    Reason.empty: "invalid",
    Reason.large: "invalid",
    Reason.inflated: "invalid",
    Reason.headers: "invalid",
    Reason.timeout: "invalid",
    Reason.malformed: "invalid",
    Reason.compressed: "invalid",
    Reason.over_rate: "quota",
    Reason.over_concurrency: "quota",
}
"""Reason by which each is counted in metrics; calls of unknown methods aren't."""


def statuses(settings: GrpcSettings) -> dict[Reason, Status]:
    """Make the gRPC status with which calls are refused for each reason, by what `settings` allow."""
    inflated = settings.max_inflated_bytes
    patience_s = f"{settings.caller_timeout_s:g} s"
    silent = f"the stream's caller sent or read nothing for {patience_s}, and its place was needed"
    errors: dict[Reason, BothendsError] = {
        Reason.no_key: UnauthenticatedError(NO_KEY),
        Reason.unknown_key: UnauthenticatedError(UNKNOWN_KEY),
        Reason.full: OverloadedError(
            f"{settings.max_concurrent_requests} requests are in progress, this server's limit", retry_after_s=_RETRY_S
        ),
        Reason.room: OverloadedError(
            "there is no room for more bytes of requests that wait; send less at once", retry_after_s=_RETRY_S
        ),
        Reason.crowded: OverloadedError(
            "this connection has too many calls open; wait for some of them to end", retry_after_s=_RETRY_S
        ),
        Reason.connections: OverloadedError("there are too many connections; come again", retry_after_s=_RETRY_S),
        Reason.late: OverloadedError("calls come faster than this server can take them", retry_after_s=_LATE_RETRY_S),
        Reason.unread: OverloadedError(silent, retry_after_s=_RETRY_S),
        Reason.expired: DeadlineError("the deadline had passed before the call was looked at"),
        Reason.draining: DrainingError("the server is stopping"),
        Reason.slow: RequestError(f"the request didn't come within {patience_s}", field="request"),
        Reason.empty: RequestError("no request came with the call", field="request"),
    }
    wire: dict[Reason, tuple[int, str]] = {
        Reason.large: (
            code_pb2.RESOURCE_EXHAUSTED,
            f"the request is too large: larger than max, {settings.max_message_bytes} bytes",
        ),
        Reason.inflated: (
            code_pb2.RESOURCE_EXHAUSTED,
            f"the request is too large once it is inflated: larger than max, {inflated} bytes",
        ),
        Reason.headers: (code_pb2.RESOURCE_EXHAUSTED, f"the headers have more than {settings.max_header_bytes} bytes"),
        Reason.timeout: (code_pb2.INTERNAL, "grpc-timeout is invalid: at most eight digits and H, M, S, m, u or n"),
        Reason.unknown: (code_pb2.UNIMPLEMENTED, "this server has no such method"),
        Reason.malformed: (code_pb2.INTERNAL, "the bytes are no gRPC message"),
        Reason.compressed: (
            code_pb2.UNIMPLEMENTED,
            "messages may be compressed by gzip only" if inflated else "no message may be compressed",
        ),
    }
    return (
        {reason: prepared(to_status(error)) for reason, error in errors.items()}
        | {reason: prepared(_callers_fault(code, message)) for reason, (code, message) in wire.items()}
        | {Reason.over_rate: _to_fill_in(OVER_RATE), Reason.over_concurrency: _to_fill_in(OVER_CONCURRENCY)}
    )


def prepared(status: status_pb2.Status) -> Status:
    """Convert `status` to the form that transports send."""
    return Status(status.code, status.message, status.SerializeToString())


def _to_fill_in(message: str) -> Status:
    """Make the status of a share that is denied, without what differs.

    The transport fills in the message's numbers, and adds RetryInfo to the details.
    """
    status = to_status(QuotaError(message, retry_after_s=0.0))
    del status.details[1:]
    return prepared(status)


def _callers_fault(code: int, message: str) -> status_pb2.Status:
    """Make a status that no client of ours tries again, whatever its code."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason="INVALID_REQUEST", domain=DOMAIN))
    return status_pb2.Status(code=code, message=message, details=[info])
