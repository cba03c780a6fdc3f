"""Unary calls from a gRPC server's completion queue to functions, and answers back from any thread.

grpcio's two Python servers keep something waiting for every call, a thread or a coroutine, and waking it costs more
than all else that surrounds the model (docs/decisions/0005). This one stands on what both are built on and keeps
nothing waiting: one thread takes what the queue brings, and whoever has an answer sends it. Knows nothing of
embeddings.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import grpc
from google.rpc import status_pb2
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # has no types

_log = logging.getLogger(__name__)

_EXPECTED = 64
"""Calls of each method that gRPC may hand over before it is asked for more."""
_FOREVER_S = 1e9
"""No deadline reaches Python as one in the year 292 billion."""
_AT_ONCE = 0.0
"""A deadline that has passed: what is there, or nothing."""
_DETAILS = "grpc-status-details-bin"
"""The trailing metadata in which a google.rpc.Status travels, where grpcio-status and its like look for it."""


class Call:
    """One call. Read its request or not; answer it or fail it, once, from any thread."""

    __slots__ = ("_core", "_is_gone", "_is_watched", "_lock", "_on_gone", "deadline", "lag_s")

    def __init__(self, core: Any, *, deadline: float | None, lag_s: float) -> None:
        self._core = core
        self._is_gone = self._is_watched = False
        self._on_gone: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self.deadline = deadline
        """When the caller stops waiting, a time of `time.monotonic`; None for never."""
        self.lag_s = lag_s
        """For how long the queue has always had something to do: no call has waited longer to be looked at."""

    def read(self, then: Callable[[bytes | None], None]) -> None:
        """Call `then`, on the queue's thread, with the request's bytes; None where none came, or too many."""

        def closed(event: Any) -> None:
            if event.batch_operations[0].cancelled():
                self._gone()

        def arrived(event: Any) -> None:
            then(event.batch_operations[0].message())

        self._is_watched = True
        self._core.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(0),), closed)
        self._core.start_server_batch((cygrpc.ReceiveMessageOperation(0),), arrived)

    def answer(self, content: bytes) -> None:
        """Send the response's bytes."""
        self._finish(0, b"", (), cygrpc.SendMessageOperation(content, 0))

    def fail(self, status: status_pb2.Status) -> None:
        """Send `status` and no response."""
        trailer = ((_DETAILS, status.SerializeToString()),)
        self._finish(status.code, status.message.encode(), trailer)

    def when_gone(self, then: Callable[[], None]) -> None:
        """Call `then` once the caller of a read call has left, or its deadline has passed; at once if it has."""
        with self._lock:
            self._on_gone = then
            if not self._is_gone:
                return
        then()

    def _gone(self) -> None:
        with self._lock:
            self._is_gone = True
            then = self._on_gone
        if then is not None:
            then()

    def _finish(self, code: int, message: bytes, trailer: tuple[tuple[str, bytes], ...], *operations: Any) -> None:
        first = cygrpc.SendInitialMetadataOperation((), 0)
        last = cygrpc.SendStatusFromServerOperation(trailer, code, message, 0)
        close = () if self._is_watched else (cygrpc.ReceiveCloseOnServerOperation(0),)
        self._core.start_server_batch((first, *operations, last, *close), _ignore)


Handler: TypeAlias = Callable[[Call], None]
"""Called on the queue's thread when a call arrives: returns soon, and sees to it that the call is answered."""


class CallQueue:
    """Some unary methods of a gRPC server. What else the server has, it serves in its own way."""

    def __init__(self, server: grpc.Server, methods: Mapping[str, Handler]) -> None:
        """Register `methods`, named `/package.Service/Method`, before `server` starts."""
        self._core = server._cy_server  # type: ignore[attr-defined]  # the core that grpc.Server wraps, by no public name
        self._methods = methods
        self._queue = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._queue)
        for method in methods:
            self._core.register_method(method)
        self._busy_since = time.monotonic()
        self._thread = threading.Thread(target=self._serve, name="bothends-calls", daemon=True)

    def start(self) -> None:
        """Take calls, once the server has started."""
        for method in self._methods:
            for _ in range(_EXPECTED):
                self._expect(method)
        self._thread.start()

    def close(self) -> None:
        """Stop, once the server has."""
        self._queue.shutdown()
        if self._thread.ident is not None:
            self._thread.join()

    def _expect(self, method: str) -> None:
        with suppress(ValueError):  # the server is stopping
            self._core.request_registered_call(self._queue, self._queue, method, method)

    def _serve(self) -> None:
        while True:
            event = self._queue.poll(_AT_ONCE)
            if event.completion_type == cygrpc.CompletionType.queue_timeout:
                event = self._queue.poll(None)
                self._busy_since = time.monotonic()
            if event.completion_type == cygrpc.CompletionType.queue_shutdown:
                return
            try:
                if event.tag in self._methods:
                    self._arrived(event)
                else:
                    event.tag(event)
            except Exception:  # one call may fail, the queue may not
                _log.exception("a gRPC event couldn't be handled")
            event = None  # an event keeps its call alive, and gRPC busy, until the next one comes

    def _arrived(self, event: Any) -> None:
        if not event.success:  # the server is stopping
            return
        method, core = event.tag, event.call
        self._expect(method)
        remaining = event.call_details.deadline - time.time()
        now = time.monotonic()
        deadline = None if remaining > _FOREVER_S else now + remaining
        self._methods[method](Call(core, deadline=deadline, lag_s=now - self._busy_since))


def _ignore(_: Any) -> None:
    """What becomes of a sent answer is the caller's business."""
