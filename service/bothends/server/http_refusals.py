"""HTTP responses with which a transport refuses calls by itself, in the error format of a front."""

from collections.abc import Mapping

from google.rpc import status_pb2

from ..settings import PortSettings
from .grpc.contract import Reason, Response
from .grpc.refusals import statuses
from .http.cors import READABLE
from .http.failure import (
    Failure,
    RenderError,
    StatusOf,
    UnfitError,
    failure,
    inflates_too_far,
    late,
    no_gzip,
    status_of,
    too_large,
    unknown_encoding,
)

_RETRY = {"Retry-After": "{retry_after_s}", "retry-after-ms": "{retry_after_ms}"}


def responses(
    settings: PortSettings, render_error: RenderError, status_of: StatusOf = status_of, *, unknown: str
) -> dict[Reason, Response]:
    """Make the response for each reason; Python would answer the same call with the same bytes.

    HTTP has statuses of its own for malformed requests. For an exceeded quota, the transport fills in the numbers.
    `unknown` is the error text for unknown paths.
    """
    unfit = {
        Reason.slow: late(settings.caller_timeout_s),
        Reason.large: too_large(settings.max_message_bytes),
        Reason.inflated: inflates_too_far(settings.max_inflated_bytes),
        Reason.headers: UnfitError(431, f"the headers have more than {settings.max_header_bytes} bytes; send fewer"),
        Reason.timeout: UnfitError(400, "x-stainless-read-timeout is invalid: seconds are wanted"),
        Reason.unknown: UnfitError(404, unknown),
        Reason.malformed: no_gzip(),
        Reason.compressed: unknown_encoding("gzip", takes_gzip=False),
    }
    found = {
        reason: failure(
            status_pb2.Status.FromString(status.details), render_error, status_of=status_of, unfit=unfit.get(reason)
        )
        for reason, status in statuses(settings).items()
    }
    for reason in (Reason.over_rate, Reason.over_concurrency):
        found[reason] = found[reason]._replace(headers=found[reason].headers | _RETRY)
    readable = {"Access-Control-Expose-Headers": ", ".join(READABLE)} if settings.cors_origins else {}
    return {reason: _prepared(said, readable) for reason, said in found.items()}


def _prepared(said: Failure, more_headers: Mapping[str, str]) -> Response:
    headers = [(name.lower().encode(), value.encode()) for name, value in {**said.headers, **more_headers}.items()]
    return Response(said.code, headers, said.content)
