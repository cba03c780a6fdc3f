"""A front's messages to handlers of calls, by the threads that run the model, and their answers back to the front.

Knows no method and no model.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

from google.rpc import code_pb2, status_pb2

from ...observe.metrics import Metrics
from ..inbound import Inbound, Received
from .contract import Front, Message, Method, Status
from .refusals import COUNTED, prepared

_log = logging.getLogger(__name__)
_LOOK_S = 1.0
"""The longest that a waiting thread leaves certificates and ended calls alone."""
Handler: TypeAlias = Callable[[Inbound], None]
"""Function that is called with each message: returns soon; the message is answered later."""

BatchHandler: TypeAlias = Callable[[Sequence[Received]], None]
"""Function that is called with messages that came together: returns soon; each is answered later."""


class Route(NamedTuple):
    """A method, what its messages are handed to, and the name by which its calls are counted, if they are."""

    method: Method
    handle: Handler
    counted_as: str | None = None
    handle_all: BatchHandler | None = None
    """Handler that is called in place of `handle`, with all messages of the method that have come."""


class FrontCall:
    """An `Inbound`: one message of a front's."""

    __slots__ = ("_calls", "_id", "_then", "arrived", "content", "deadline", "metadata")

    def __init__(self, calls: "Calls", message: Message) -> None:
        self._calls = calls
        self._id, _, self.content, self.deadline, self.metadata, _, self.arrived = message
        self._then: Callable[[], None] | None = None

    def read(self, then: Callable[[bytes | None], None]) -> None:
        """Call `then` with the request's bytes, now."""
        then(self.content)

    def answer(self, content: bytes) -> None:
        """Send the response's bytes."""
        self._then = None  # most often it leads back here; a circle would wait for the garbage collector
        self._calls.answer(self._id, content)

    def fail(self, status: status_pb2.Status) -> None:
        """Send `status` and no response."""
        self._then = None
        self._calls.fail(self._id, prepared(status))

    def wire_status(self, code: int) -> int:
        """Return `code`: gRPC's own."""
        return code

    def on_cancelled(self, then: Callable[[], None]) -> None:
        """Call `then`, by a thread that pulls, once the caller has left or its deadline has passed."""
        self._then = then

    def leave(self) -> None:
        """Take note that the message is over."""
        then, self._then = self._then, None
        if then is not None:
            then()


class Calls:
    """The calls of a front: a `WorkSource`, whose threads begin them one at a time."""

    def __init__(
        self,
        front: Front,
        routes: Sequence[Route],
        metrics: Metrics,
        *,
        wait_s: Callable[[], float],
        renew: Callable[[], None] = lambda: None,
    ) -> None:
        """`wait_s` estimates how long a sentence waits now; `renew` is called often."""
        self._front = front
        self._routes = routes
        self._metrics = metrics
        self._wait_s = wait_s
        self._renew = renew
        self._open: dict[int, FrontCall] = {}  # begun, and not yet answered
        self._held: list[Message] = []  # taken, and not yet begun
        self._gathered = threading.local()

    def wait(self) -> bool:
        """Sleep until a message has come. Returns False once nothing more will come."""
        while not self._held:
            if not self._take(1, _LOOK_S):
                return False
        return True

    def pull(self, most: int) -> bool:
        """Begin at most so many messages that have come, and end those that are over.

        Returns False once nothing more will come.
        """
        with self.gathering():
            goes_on = self._take(max(0, most - len(self._held)), 0.0)
            held, self._held = self._held, []
            self._begin(held)
        return goes_on

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Send what this thread answers inside `with` all at once, at its end."""
        gathered: list[tuple[int, bytes]] = []
        self._gathered.answers = gathered
        try:
            yield
        finally:
            del self._gathered.answers
            if gathered:
                self._front.answer(*zip(*gathered, strict=True))

    def answer(self, message_id: int, content: bytes) -> None:
        """Send a response, soon."""
        self._open.pop(message_id, None)
        gathered = getattr(self._gathered, "answers", None)
        if gathered is None:
            self._front.answer((message_id,), (content,))
        else:
            gathered.append((message_id, content))

    def fail(self, message_id: int, status: Status) -> None:
        """Send a status."""
        self._open.pop(message_id, None)
        self._front.fail((message_id,), (status,))

    def count(self) -> None:
        """Count the calls that the front has ended by itself since the last time."""
        for method, code, reason, seconds in self._front.ended():
            if reason:
                self._metrics.front_refused(reason)
            name = self._routes[method].counted_as if method >= 0 else None
            if name is not None:
                refusal = COUNTED[reason] if reason else None
                self._metrics.answered(name, code_pb2.Code.Name(code), seconds, refusal=refusal)

    def _take(self, most: int, wait_s: float) -> bool:
        self._renew()
        taken = self._front.take(most, wait_s, self._wait_s())
        self.count()
        if taken is None:
            return False
        messages, over = taken
        self._held += messages
        for message_id in over:
            if (call := self._open.pop(message_id, None)) is not None:
                _guarded(call.leave)
        if over:
            gone = frozenset(over)
            self._held = [message for message in self._held if message[0] not in gone]
        return True

    def _begin(self, messages: Sequence[Message]) -> None:
        together: dict[int, list[FrontCall]] = {}
        for message in messages:
            message_id, method, *_ = message  # a native front's have no names
            call = self._open[message_id] = FrontCall(self, message)
            if self._routes[method].handle_all is None:
                _guarded(self._routes[method].handle, call)
            else:
                together.setdefault(method, []).append(call)
        for method, calls in together.items():
            if (handle_all := self._routes[method].handle_all) is not None:
                _guarded(handle_all, calls)


def _guarded(act: Callable[..., None], *arguments: object) -> None:
    try:
        act(*arguments)
    except Exception:  # one message may fail, all others are still to be begun
        _log.exception("a gRPC message couldn't be handled")
