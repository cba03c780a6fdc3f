"""Turns the errors that gRPC raises in a client into bothends' own. retry.py decides whether to try again."""

import grpc
from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from grpc_status import rpc_status

from ..errors import BothendsError, ConnectionFailedError, NotServingError, OverloadedError, RequestError, SentenceError
from ..text import printable
from ..wire.status import from_status

CLOSED = "Channel closed!"
"""Text of grpcio for calls that end with their channel."""
_BROKEN = "Internal error from Core"
"""Text of grpc.aio for a stream that ended while something was written to it, instead of how it ended."""

_NO_CONNECTION = "last error"
"""Words of gRPC where no connection came to be, before the reason."""
_HUNG_UP = (
    "it hung up, so it may speak TLS where you don't (tls=True, --tls), or want your certificate (TLS(cert=…, key=…), "
    "--cert and --key)"
)
_FOR_HTTP = "that port is for HTTP; gRPC has another, 50051 unless bothends serve was told otherwise"
_UNKNOWN_HOST = (
    "Domain name not found",
    "DNS server returned answer with no data",
    "Name or service not known",
    "nodename nor servname",
)
"""Words of gRPC's resolvers where nobody knows the host."""
_NO_METHOD = "http2 header with status: 404"
"""Words of gRPC where what answers speaks HTTP/2, and knows no such path."""
_HINTS = {
    "http1.x server": _FOR_HTTP,
    "WRONG_VERSION_NUMBER": "it speaks no TLS: leave that out",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is of nobody who is trusted: name its authority (TLS(ca=…), --ca)",
    "Hostname Verification": "its certificate is of another name: say which (TLS(server_name=…), --server-name)",
    "Connection refused": "nothing listens there: bothends serve starts a server",
    "Socket closed": _HUNG_UP,
    "Connection reset": _HUNG_UP,
    "TSI_DATA_CORRUPTED": _HUNG_UP,
}
"""Advice where a connection fails, by a word of gRPC's reason."""


def with_hint(details: str) -> str:
    """Return gRPC's `details` with a hint if nothing speaks gRPC at that port, or no connection could be made.

    An unknown host is told in plain words alone.
    """
    if any(words in details for words in _UNKNOWN_HOST):
        return "no such host is known here; is its name right, and has this machine a DNS server that knows it?"
    hints = [hint for word, hint in _HINTS.items() if word in details and _NO_CONNECTION in details]
    hints += [_FOR_HTTP] if _NO_METHOD in details else []
    return f"{details}; {hints[0]}" if hints else details


def from_grpc(raised: grpc.RpcError, name: str, offset: int) -> BothendsError:
    """Return the bothends error for `raised`. `offset` is added to the index of a sentence."""
    status = _rich_status(raised)
    if status is None:  # raised by gRPC itself, not by a bothends server
        status = status_pb2.Status(code=raised.code().value[0], message=raised.details() or "")
        if (error := _of_grpc_itself(raised.code(), status.message, name)) is not None:
            return error
    error = from_status(status)
    if isinstance(error, ConnectionFailedError):
        return ConnectionFailedError(f"no bothends server answers at {name}: {with_hint(printable(status.message))}")
    if isinstance(error, SentenceError):
        return error.at(offset + error.index)
    return error


def _of_grpc_itself(code: grpc.StatusCode, details: str, name: str) -> BothendsError | None:
    """Return the error for a status that gRPC's own code made; None if its code says enough."""
    if "CLIENT: Received message larger than max" in details:
        return BothendsError(f"{name} answered with more than a client takes: {printable(details)}")
    if "larger than max" in details:  # gRPC says RESOURCE_EXHAUSTED, but trying again won't help
        return RequestError(f"the request is too large for {name}: {printable(details)}")
    if CLOSED in details:
        return BothendsError(f"the client of {name} was closed while it waited for an answer")
    if _BROKEN in details:
        return ConnectionFailedError(f"a stream to {name} ended while it was written to")
    if code is grpc.StatusCode.CANCELLED:  # not by us: gRPC drops calls that an overloaded server can't take
        return OverloadedError(f"{name} is overloaded and dropped the call", retry_after_s=1.0)
    if _NO_METHOD in details:  # nor will it have one the next time
        return BothendsError(f"no bothends server answers at {name}: {with_hint(printable(details))}")
    if "backend unhealthy" in details:  # gRPC watches health for us, and sent nothing
        return NotServingError(f"no server is fit to answer at {name}: {printable(details)}")
    return None


def _rich_status(raised: grpc.RpcError) -> status_pb2.Status | None:
    try:
        status: status_pb2.Status | None = rpc_status.from_call(raised)
    except (ValueError, DecodeError):  # something on the way has changed it
        return None
    return status
