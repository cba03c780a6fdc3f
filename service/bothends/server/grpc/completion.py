"""Calls from a gRPC server's completion queue to functions, and answers back from any thread.

grpcio's two Python servers keep something waiting for every call, a thread or a coroutine, and waking it costs more
than all else that surrounds the model (docs/decisions/0005). This one stands on what both are built on and keeps
nothing waiting, not even a thread of its own: any thread that has time pulls, and any that has an answer sends it.
Requests that have been read wait in line, and their number says how long a call that has just arrived would wait. Knows
nothing of embeddings.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # has no types

from ..inbound import Outbox
from .call import Call, Handler, Requests
from .streaming import Stream

_log = logging.getLogger(__name__)

_EXPECTED = 64
"""Calls of each method that gRPC may hand over before it is asked for more."""
_FOREVER_S = 1e9
"""No deadline reaches Python as one in the year 292 billion."""
_AT_ONCE, _FOREVER = 0.0, None
"""Deadlines for the queue's next event: one that has passed takes what is there, or nothing."""
_NONE, _ENDED = cygrpc.CompletionType.queue_timeout, cygrpc.CompletionType.queue_shutdown
"""Kinds of what isn't an event: there is none now, or never will be."""
_AHEAD = 32
"""Events that may go before a waiting request: else a flood of calls to refuse would keep all others waiting."""
LAST_EVENTS_S = 1.0
"""Seconds that the end of a call may take to be known."""
_MANY = 512
"""Events after which a thread that pulls goes on to something else."""


class CallQueue:
    """Queue of the calls to some methods of a gRPC server, which serves all other methods in its own way."""

    def __init__(
        self, server: grpc.Server, methods: Mapping[str, Handler], streams: Mapping[str, Callable[[Stream], None]] = {}
    ) -> None:
        """Register unary `methods` and `streams`, named `/package.Service/Method`, before `server` starts."""
        self._core = server._cy_server  # type: ignore[attr-defined]  # the core that grpc.Server wraps, by no public name
        self._methods: dict[str, tuple[type[Call], Callable[[Any], None]]] = {
            **{method: (Call, handler) for method, handler in methods.items()},
            **{method: (Stream, handler) for method, handler in streams.items()},
        }
        self._taken: list[str] = []  # methods of calls that gRPC handed over, and hasn't been asked to replace yet
        self._queue = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._queue)
        for method in self._methods:
            self._core.register_method(method)
        self._requests = Requests()
        self.outbox = Outbox()

    def start(self) -> None:
        """Take calls, once the server has started."""
        for method in self._methods:
            for _ in range(_EXPECTED):
                self._expect(method)

    def wait(self) -> bool:
        """Sleep until something has come, and handle it. Returns False once nothing more will come."""
        return bool(self._requests) or self._next_event(_FOREVER) != _ENDED

    def pull(self, most: int) -> bool:
        """Handle what has come, and begin at most so many requests. Returns False once nothing more will come.

        Events come first: most are cheap, and a call that is to be refused should know soon. But no more calls than
        were expected before: those that come meanwhile stay in gRPC's own line, whose length bounds how old they get.
        """
        goes_on = self._pull(most)
        for method in self._taken:
            self._expect(method)
        self._taken.clear()
        return goes_on

    def _pull(self, most: int) -> bool:
        events = 0
        while True:
            kind = self._next_event(_AT_ONCE)
            if kind == _ENDED:
                return False
            events += kind != _NONE
            if self._requests and most > 0:
                if kind == _NONE or events % _AHEAD == 0:
                    most -= 1
                    self._guarded(self._requests.begin)
            elif kind == _NONE or events >= _MANY:
                return True

    def _next_event(self, deadline: float | None) -> Any:
        """Handle the next event there is until `deadline`, a time of `time.time`; returns its kind."""
        event = self._queue.poll(deadline)
        if event.completion_type not in (_NONE, _ENDED):
            self._guarded(self._handle, event)
        return event.completion_type

    def close(self) -> None:
        """Take no more, once the server has stopped: `pull` soon returns False.

        The thread that pulls learns of each call's end first: else a call would begin what comes too late.
        """
        end = time.monotonic() + LAST_EVENTS_S
        while self._requests.watched and time.monotonic() < end:
            time.sleep(LAST_EVENTS_S / 100)
        self._requests.is_closed = True
        self._queue.shutdown()

    def _expect(self, method: str) -> None:
        with suppress(ValueError):  # the server is stopping
            self._core.request_registered_call(self._queue, self._queue, method, method)

    def _guarded(self, act: Callable[..., None], *arguments: Any) -> None:
        try:
            act(*arguments)
        except Exception:  # one call may fail, the queue may not
            _log.exception("a gRPC event couldn't be handled")

    def _handle(self, event: Any) -> None:
        if event.tag in self._methods:
            self._arrived(event)
        else:
            event.tag(event)

    def _arrived(self, event: Any) -> None:
        if not event.success:  # the server is stopping
            return
        method, core = event.tag, event.call
        self._taken.append(method)
        remaining = event.call_details.deadline - time.time()
        deadline = None if remaining > _FOREVER_S else time.monotonic() + remaining
        metadata = event.invocation_metadata
        kind, handle = self._methods[method]
        handle(kind(core, self._requests, self.outbox, deadline=deadline, metadata=metadata))
