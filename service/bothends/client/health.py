"""Asks a server whether it serves, by grpc.health.v1: for containers, orchestrators and scripts.

It works with any gRPC server that answers health checks.
"""

from dataclasses import replace

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ..errors import BothendsError, ConnectionFailedError, UnknownModelError
from ..text import printable
from .channel import TLS, Endpoint
from .errors import with_hint

_SERVING = health_pb2.HealthCheckResponse.SERVING


def check(target: str, *, timeout_s: float, tls: TLS | None = None, model: str | None = None) -> None:
    """Return if the server at `target` (host:port) says SERVING within `timeout_s` seconds. No key is needed.

    It asks about the whole server, or about one `model`.

    Raises ConnectionFailedError if nothing answers, and BothendsError for any other status.
    """
    endpoint = Endpoint.of(target, tls=tls or False)
    # A proxy for the outside, which container engines like to inject, knows no way back to this very container.
    with replace(endpoint, options=(*endpoint.options, ("grpc.enable_http_proxy", 0))).channel() as channel:
        try:
            request = health_pb2.HealthCheckRequest(service=model or "")
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_s)
        except grpc.RpcError as error:
            if model is not None and error.code() is grpc.StatusCode.NOT_FOUND:
                raise UnknownModelError(f"{target} has no model {model!r}") from error
            raise _unanswered(target, error, timeout_s) from error
    if answer.status != _SERVING:
        raise BothendsError(f"{target} is {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}")


def _unanswered(target: str, error: grpc.RpcError, timeout_s: float) -> BothendsError:
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return ConnectionFailedError(f"no server answers at {target}: {with_hint(printable(error.details()))}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return ConnectionFailedError(f"{target} doesn't answer within {timeout_s:g} s")
        case code:
            return BothendsError(
                f"{target} can't tell its health: {code.name}: {with_hint(printable(error.details()))}"
            )
