"""Takes a transport's messages in the threads that run the model, hands them to handlers, and sends the answers.

It is the `WorkSource` of gRPC. It also cancels calls whose callers have left.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol, TypeAlias

from google.rpc import code_pb2, status_pb2

from ....batching.request import Request, Stuck, Ticket
from ....core.loaded import LoadedModel
from ....engines.contract import TokenIds
from ....errors import BothendsError
from ....observe.metrics import Metrics
from ....observe.unforeseen import error_site
from ....wire.status import to_status
from ...caller import Caller
from ...inbound import Inbound, Metadata
from ...thread_times import CHARGED_S, ThreadTimes
from ..contract import Batch, Message, Method, Reason, Status, Transport
from ..plain_calls import CreateCodec, GivenUpError, PlainCalls
from ..refusals import COUNTED, prepared
from .in_flight import InFlight

_log = logging.getLogger(__name__)
_LOOK_S = 0.1
"""The longest that certificates and ended calls are left alone, while there is something to do."""
_MESSAGES = 64
"""Most messages that are taken at once: a batch of single sentences."""
_MESSAGE_BYTES = 64
"""Bytes of a usual message of one sentence: of longer ones, or lists, fewer are taken at once."""
_ENDING = threading.Lock()
"""Lock of all calls' ends, held for a moment: one thread may say what to do then while another says that it is now."""
Handler: TypeAlias = Callable[[Inbound], None]
"""Function that is called with each message: returns soon; the message is answered later."""


class WaitingStreams(Protocol):
    """Streaming method whose messages may wait for room, and which answers a message even if its sentences fail."""

    def write_failed(self, status: status_pb2.Status, sentences: int, model: LoadedModel, /) -> bytes:
        """Return the response to a message of `sentences` sentences when a run of `model` could embed none of them."""
        ...

    def drain(self) -> None:
        """Fail all messages that wait, now and from now on: none of them was accepted."""

    def close(self) -> None:
        """Stop trying messages again."""


class Route(NamedTuple):
    """Method, the handler of its messages, and the name by which metrics count its calls (None if they aren't
    counted).
    """

    method: Method
    handle: Handler
    counted_as: str | None = None
    create_codec: CreateCodec | None = None
    streams: WaitingStreams | None = None


class GrpcInbound:
    """`Inbound` for one message of a gRPC transport."""

    __slots__ = (
        "_calls",
        "_is_over",
        "_spent",
        "_then",
        "arrived",
        "caller",
        "content",
        "deadline",
        "id",
        "key",
        "metadata",
        "times",
    )
    metadata: Metadata
    caller: Caller

    def __init__(self, calls: "Calls", message: Message) -> None:
        self._calls = calls
        self.id, self.content, self.metadata = message.id, message.content, message.metadata
        self.deadline, self.arrived = message.deadline, message.arrived
        self.caller = Caller(message.network, message.caller)
        self.key = message.key
        self.times = ThreadTimes()
        self._then: Callable[[], None] | None = None
        self._is_over = False
        self._spent = 0.0

    @property
    def ticket(self) -> Ticket:
        """The call's place in its caller's turns."""
        return self

    def take_spent(self) -> float:
        """Return the seconds of a core that nobody was charged with yet, for the caller who charges them."""
        seconds, self._spent = self._spent + self.times.take(), 0.0
        return seconds

    def read(self, then: Callable[[bytes | None], None]) -> None:
        """Call `then` with the request's bytes at once."""
        then(self.content)

    def charge(self, seconds: float) -> None:
        """Count `seconds` of a core against the caller's turns: soon if they are many, else with the answer."""
        self._spent += seconds
        if self._spent > CHARGED_S:
            self._charge()

    def answer(self, content: bytes) -> None:
        """Send the response."""
        self._then = None  # most often it leads back here; a circle would wait for the garbage collector
        self._calls.answer(self.id, content, self._spent)

    def fail(self, status: status_pb2.Status) -> None:
        """End the call with the error `status`."""
        self._then = None
        self._charge()
        self._calls.fail(self.id, prepared(status))

    def _charge(self) -> None:
        seconds, self._spent = self._spent, 0.0
        self._calls.charge(self.id, seconds)

    def wire_status(self, code: int) -> int:
        """Return `code`: gRPC's own."""
        return code

    def on_cancelled(self, then: Callable[[], None]) -> None:
        """Call `then`, from a thread in `pull`, when the caller leaves or its deadline passes; at once if that has
        happened.
        """
        with _ENDING:
            if not self._is_over:
                self._then = then
                return
        then()

    def leave(self) -> None:
        """Mark the message as ended."""
        with _ENDING:
            self._is_over = True
            then, self._then = self._then, None
        if then is not None:
            then()


class Calls:
    """`WorkSource` that takes the calls of a gRPC transport."""

    def __init__(
        self,
        transport: Transport,
        routes: Sequence[Route],
        metrics: Metrics,
        *,
        renew: Callable[[], None] = lambda: None,
        fast: PlainCalls | None = None,
    ) -> None:
        """Take the calls of `transport`, whose methods have these `routes`, in the same order.

        `renew` is called about ten times a second, to look at certificates. With `fast`, messages are taken by it,
        plain requests answered in C++, and what is submitted computed there.
        """
        self._transport = transport
        self._routes = routes
        self._metrics = metrics
        self._renew = renew
        self._in_flight = InFlight()
        self._gathered = threading.local()
        self._looked_at = 0.0
        self._counting = threading.Lock()  # a scrape waits for who has taken what it doesn't find any more
        self._fast = fast
        self.charge = transport.charge
        self.wake = transport.wake

    def pull(self, wait_s: float) -> bool | None:
        """Start messages that have arrived, settle requests that are computed, and cancel calls whose callers have
        left.

        Sleeps up to `wait_s` seconds until there is something. The fast path, if there is one, also answers plain
        requests in this call. Returns False once no more messages can come, and None if the calling thread was given up
        because its run was stuck.
        """
        self._look()
        is_given_up = False
        taken: Batch | None
        with self._gathering():
            try:
                taken = (self._fast or self._transport).take_messages(_MESSAGES, wait_s, _MESSAGES * _MESSAGE_BYTES)
            except GivenUpError as given_up:
                taken, is_given_up = given_up.taken, True
            for message in taken.messages if taken else ():
                self._begin(message)
        if taken is None:
            self.count()
            return False
        for message_id in taken.over:
            self._in_flight.end(message_id)
        return None if is_given_up else True

    def submit(self, request: Request, sentences: Sequence[TokenIds], ticket: Ticket) -> None:
        """Let the fast path compute the sentences of a call in its caller's turn, as `WorkSource.submit` says."""
        assert self._fast is not None  # noqa: S101  queues of other transports compute by themselves
        self._fast.submit(request, sentences, ticket)

    def forget(self, request: Request, ticket: Ticket) -> None:
        """Let go of a request that was submitted."""
        if self._fast is not None:
            self._fast.forget(request, ticket)

    def stands_still(self) -> bool:
        """Return True if something has waited for a while of which no thread takes anything."""
        return self._fast is not None and self._fast.stands_still()

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[Stuck]:
        """Give up the model runs that threads have been in for more than `seconds` inside `pull`, and return them.

        `lost_s` gives the seconds for which a thread couldn't run; they don't count.
        """
        return [] if self._fast is None else self._fast.give_up(seconds, lost_s)

    @contextmanager
    def _gathering(self) -> Iterator[None]:
        """Return a context manager that collects the answers of this thread, and sends them together when it ends."""
        gathered: list[tuple[int, bytes, float]] = []
        self._gathered.answers = gathered
        try:
            yield
        finally:
            del self._gathered.answers
            if gathered:
                self._transport.answer(*zip(*gathered, strict=True))

    def answer(self, message_id: int, content: bytes, spent: float = 0.0) -> None:
        """Send a response to a message, at once or with the others of `_gathering`, and charge its caller with the
        seconds of a core that were `spent`.
        """
        self._in_flight.remove(message_id)
        gathered = getattr(self._gathered, "answers", None)
        if gathered is None:
            self._transport.answer((message_id,), (content,), (spent,))
        else:
            gathered.append((message_id, content, spent))

    def fail(self, message_id: int, status: Status) -> None:
        """Send an error status to a message."""
        self._in_flight.remove(message_id)
        self._transport.fail((message_id,), (status,))

    def count(self) -> None:
        """Count the calls since the last time that Python didn't handle: those that the fast path served or the
        transport ended.
        """
        if self._fast is not None:
            self._fast.count()
        with self._counting:
            for ended in self._transport.ended():
                reason = None if ended.refusal is None else Reason[ended.refusal.name]
                if reason is not None:
                    self._metrics.transport_refused(reason, len(ended.seconds))
                name = self._routes[ended.method].counted_as if ended.method >= 0 else None
                if name is not None:
                    refusal = None if reason is None else COUNTED[reason]
                    code = code_pb2.Code.Name(ended.code)
                    self._metrics.answered_all(name, code, ended.seconds, path=None, refusal=refusal)

    def _look(self) -> None:
        if (now := time.monotonic()) - self._looked_at >= _LOOK_S:
            self._looked_at = now
            self._renew()
            self.count()

    def _begin(self, message: Message) -> None:
        """Start a message. If its handler raises, only this message fails, since all others are still to be started."""
        call = GrpcInbound(self, message)
        call.times.begin()
        self._in_flight.add(message.id, call.leave)
        try:
            self._routes[message.method].handle(call)
        except Exception as error:  # a bug of ours: its caller is told
            _log.error("a gRPC message couldn't be handled: %s", error_site(error))
            call.fail(to_status(BothendsError("internal error")))
        call.times.end()
