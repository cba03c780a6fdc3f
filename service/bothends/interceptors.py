"""What surrounds every call of our service: its clock, its count, and errors turned into statuses."""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status

from .errors import BothendsError, RequestError
from .gate import Gate
from .metrics import Metrics
from .status import to_status

_log = logging.getLogger(__name__)
Handler = Any
"""grpc's RpcMethodHandler, or None: types-grpcio knows no generic one at run time."""
_SERVICE = "/bothends.v1.EmbeddingService/"


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Lets each call through the gate, times and counts it, and answers with the status of what it raised."""

    def __init__(self, metrics: Metrics, gate: Gate) -> None:
        self._metrics = metrics
        self._gate = gate

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wrap our own methods; health and reflection pass as they are."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(_SERVICE) or handler.unary_unary is None:
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self._surround(handler, method.removeprefix(_SERVICE)),
            request_deserializer=None,  # bytes: what can't be parsed is answered here, with details
            response_serializer=_serialised,
        )

    def _surround(self, handler: Any, method: str) -> Callable[[bytes, Any], Awaitable[Any]]:
        parse, behaviour = handler.request_deserializer, handler.unary_unary

        async def call(content: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            started = time.perf_counter()
            response, error = None, None
            try:  # nothing in here aborts the call, so an abort is never caught
                with self._gate:
                    response = await behaviour(_parsed(parse, content, method), context)
            except BothendsError as raised:
                error = raised
            except asyncio.CancelledError:  # the caller left, or its deadline passed: nobody reads an answer
                remaining = context.time_remaining()
                code = "CANCELLED" if remaining is None or remaining > 0 else "DEADLINE_EXCEEDED"
                self._metrics.answered(method, code, time.perf_counter() - started)
                raise
            except Exception as raised:  # a bug of ours: the caller is told, without a word of its text
                error = BothendsError("internal error; the server's log says where")
                _log.error("%s failed: %s", method, _where(raised))
            status = to_status(error) if error is not None else None
            code = code_pb2.Code.Name(status.code) if status is not None else "OK"
            self._metrics.answered(method, code, time.perf_counter() - started)
            if status is not None:
                await context.abort(*_abortion(status))
            return response

        return call


def _abortion(status: status_pb2.Status) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """What grpc.aio's abort wants of a status: code, message, and the details as trailing metadata."""
    converted = rpc_status.to_status(status)
    return converted.code, converted.details, converted.trailing_metadata


def _serialised(response: Any) -> bytes:
    """A message's bytes, or what is bytes already."""
    content: bytes = response if isinstance(response, bytes) else response.SerializeToString()
    return content


def _parsed(parse: Callable[[bytes], Any], content: bytes, method: str) -> Any:
    try:
        return parse(content)
    except DecodeError:
        raise RequestError(
            f"the bytes are no {method}Request: malformed protobuf, or text that is no UTF-8", field="request"
        ) from None


def _where(error: Exception) -> str:
    """Type and place of an unforeseen error. Its text is left out: it may hold a caller's sentence."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno} in {frame.name}"
