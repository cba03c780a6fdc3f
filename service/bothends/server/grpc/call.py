"""One unary call of a gRPC server's core: its request read, its response or status sent, from any thread.

Beside it, the line in which requests wait that have been read. Knows no queue of events.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, TypeAlias

from google.rpc import status_pb2
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # has no types

from ..inbound import DETAILS, Metadata, Outbox

_SMOOTHING = 1 / 16
"""The newest request's share in the mean time of one."""


class Call:
    """One call of gRPC's. Read its request or not; answer it or fail it, once, from any thread."""

    __slots__ = (
        "_core", "_has_closed", "_is_gone", "_is_watched", "_lock", "_on_cancelled", "_outbox", "_requests",
        "deadline", "lag_s", "metadata",
    )  # fmt: skip

    def __init__(
        self, core: Any, requests: "Requests", outbox: "Outbox", *, deadline: float | None, metadata: Metadata = ()
    ) -> None:
        self._core = core
        self._requests = requests
        self._outbox = outbox
        self._has_closed = self._is_gone = self._is_watched = False
        self._on_cancelled: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self.deadline = deadline
        """Time of `time.monotonic` at which the caller stops waiting; None for never."""
        self.metadata = metadata
        self.lag_s = requests.lag_s
        """Estimate of how long a request read now waits for those before it, in seconds."""

    def read(self, then: Callable[[bytes | None], None]) -> None:
        """Call `then`, in its turn, with the request's bytes; None where none came, or too many."""

        def arrived(event: Any) -> None:
            self._requests.put(then, event.batch_operations[0].message())

        self._requests.expect()
        self._watch()
        self._start((cygrpc.ReceiveMessageOperation(0),), arrived)

    def answer(self, content: bytes) -> None:
        """Send the response's bytes."""
        self._outbox.put()
        status = cygrpc.SendStatusFromServerOperation((), 0, b"", 0)
        self._finish(cygrpc.SendMessageOperation(content, 0), status, then=self._outbox.sent)

    def fail(self, status: status_pb2.Status) -> None:
        """Send `status` and no response."""
        trailer = ((DETAILS, status.SerializeToString()),)
        self._finish(cygrpc.SendStatusFromServerOperation(trailer, status.code, status.message.encode(), 0))

    def wire_status(self, code: int) -> int:
        """Return `code`: gRPC's own."""
        return code

    def on_cancelled(self, then: Callable[[], None]) -> None:
        """Call `then` once the caller of a read call has left, or its deadline has passed; at once if it has."""
        with self._lock:
            self._on_cancelled = then
            if not self._is_gone:
                return
        then()

    def _watch(self) -> None:
        def closed(event: Any) -> None:
            self._requests.watched -= 1
            self._closed(cancelled=event.batch_operations[0].cancelled())

        self._is_watched = True
        self._requests.watched += self._start((cygrpc.ReceiveCloseOnServerOperation(0),), closed)

    def _closed(self, *, cancelled: bool) -> None:
        with self._lock:
            self._has_closed = True
            self._is_gone = cancelled
            then, self._on_cancelled = self._on_cancelled, None
        if cancelled and then is not None:
            then()

    def _start(self, operations: Iterable[Any], then: Callable[[Any], None]) -> bool:
        """Begin operations whose end `then` is called with. Returns False for a call that is over: nothing comes of
        it, and after the queue's end gRPC would abort the process.
        """
        with self._lock:
            goes_on = not (self._has_closed or self._requests.is_closed)
            if goes_on:
                self._core.start_server_batch(operations, then)
            return goes_on

    def _finish(self, *operations: Any, then: Callable[[Any], None] = lambda _: None) -> None:
        self._on_cancelled = None  # most often it leads back here; a circle would wait for the garbage collector
        first = cygrpc.SendInitialMetadataOperation((), 0)
        close = () if self._is_watched else (cygrpc.ReceiveCloseOnServerOperation(0),)
        if not self._start((first, *operations, *close), then):
            then(None)


Handler: TypeAlias = Callable[[Call], None]
"""Function that is called when a call arrives, by the thread that pulls: returns soon; the call is answered later."""


class Requests:
    """Requests that were read and wait, and how long one more would wait. For one thread at a time."""

    def __init__(self) -> None:
        self.watched = 0
        """Number of calls whose end isn't known yet."""
        self.is_closed = False
        """True once nothing more may be begun for any call."""
        self._waiting: deque[tuple[Callable[[bytes | None], None], bytes | None]] = deque()
        self._ahead = 0  # of one that would come now: those that wait, and those that are still being read
        self._mean_s = 0.0
        self._last_begun: float | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def lag_s(self) -> float:
        """Number of requests ahead, times the seconds that one has lately taken."""
        return self._ahead * self._mean_s

    def expect(self) -> None:
        """Count a request that has been asked for, and will be put."""
        self._ahead += 1

    def put(self, then: Callable[[bytes | None], None], content: bytes | None) -> None:
        """Add a request to those that wait."""
        self._waiting.append((then, content))

    def begin(self) -> None:
        """Begin the request that has waited longest."""
        then, content = self._waiting.popleft()
        self._ahead -= 1
        now = monotonic()
        if self._last_begun is not None:
            self._mean_s += _SMOOTHING * (now - self._last_begun - self._mean_s)
        self._last_begun = now if self._waiting else None  # the time until a later one comes would say nothing
        then(content)
