"""Calls that are open on grpcio's event loop: hands over their messages, refuses calls, and passes on outcomes."""

import asyncio
from collections.abc import Iterable, Mapping, Set
from itertools import count
from time import monotonic
from typing import Any, NamedTuple, NoReturn, TypeAlias

import grpc
import grpc.aio

from ....settings import GrpcSettings
from ...inbound import DETAILS, code_of_leaving
from ...keys import digest
from ..contract import Message, Reason, Status
from .message_queue import GrpcioMessage, MessageQueue
from .peers import network_of

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Outcome: TypeAlias = bytes | Status
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_OK = 0
_LEAVES_S = 0.01
"""Seconds in which it shows whether a caller has sent its last message, or has left: at first both look the same."""
_FOREVER_S = 1e9
"""No deadline reaches Python as one in the year 292 billion."""


class Pending(NamedTuple):
    """Message that was handed over to the model's threads, and the future of its outcome."""

    message: Message
    outcome: "asyncio.Future[Outcome]"


class CallRegistry:
    """Open calls of one server. Used by its event loop only, except `queue`."""

    def __init__(self, headers: Set[str], statuses: Mapping[Reason, Status], settings: GrpcSettings) -> None:
        self.queue = MessageQueue()
        self.settings = settings
        self.is_draining = False
        self.keys: frozenset[bytes] | None = None
        """SHA-256 of each key that may call; None where callers need no key."""
        self.last_begun = monotonic()
        """Time at which a metered call last came."""
        self._open: dict[int, bytes | None] = {}
        """Calls that have come and whose last byte isn't with their caller, by the ids of their contexts.

        Where callers need a key, with its SHA-256, if one came.
        """
        self._headers = headers
        self._statuses = statuses
        self._ids = count(1)
        self._outcomes: dict[int, asyncio.Future[Outcome]] = {}

    def reason_against_key(self, context: Context) -> Reason | None:
        """Return the reason to refuse a call because of its key or its lack of one; None if the key is good."""
        if self.keys is None:
            return None
        key = self._open[id(context)]
        if key is None:
            return Reason.no_key
        return None if key in self.keys else Reason.unknown_key

    @property
    def open(self) -> int:
        """Number of calls that have arrived and aren't completely answered yet."""
        return len(self._open)

    def begin(self, context: Context) -> float:
        """Count a call that has arrived; returns the time of arrival."""
        values = (value for name, value in context.invocation_metadata() or () if name == "authorization")
        self._open[call := id(context)] = None if self.keys is None else digest(next(values, None))
        context.add_done_callback(lambda _: self._open.pop(call, None))  # type: ignore[arg-type]  # its types want names of arguments; also for one whose last bytes its caller doesn't read
        return monotonic()

    def owe_nothing(self, context: Context) -> None:
        """Count a call as no longer open although it hasn't ended, since nobody waits for its end."""
        self._open.pop(id(context), None)

    async def read(self, context: Context) -> bytes | None:
        """Return the next message of a call, or None after the last one.

        Raises CancelledError if the caller has left.
        """
        content = await context.read()
        if isinstance(content, bytes):
            return content
        await asyncio.sleep(_LEAVES_S)
        return None

    def hand_over(
        self, method: int, content: bytes, context: Context, arrived: float, *, is_metered: bool = True
    ) -> Pending:
        """Queue a message for the threads that run the model; returns it with the future of its outcome.

        `method` is the index of its method, `arrived` the time (by `time.monotonic`) at which it came. Messages of
        methods that aren't metered come before all others.
        """
        metadata = tuple((name, value) for name, value in context.invocation_metadata() or () if name in self._headers)
        peer, key = context.peer(), self._open.get(id(context)) or b""
        message = GrpcioMessage(
            next(self._ids), method, content, deadline(context), metadata, hash(peer), arrived, key, network_of(peer)
        )
        self._outcomes[message.id] = outcome = asyncio.get_running_loop().create_future()
        self.queue.put(message, is_metered=is_metered)
        return Pending(message, outcome)

    def settle(self, outcomes: Iterable[tuple[int, Outcome]]) -> None:
        """Deliver outcomes, each with its message's id, to the calls that wait for them."""
        for message_id, outcome in outcomes:
            waiting = self._outcomes.pop(message_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(outcome)

    def give_up(self, pending: Pending) -> bool:
        """Drop a message whose outcome is no longer wanted; returns True if no thread had taken it yet."""
        if self._outcomes.pop(pending.message.id, None) is None:
            return False  # it has its outcome
        return self.queue.leave(pending.message)

    def record(self, method: int, began: float, code: int = _OK, refusal: Reason | None = None) -> None:
        """Count a call that ended without reaching the model's threads: `method` is the index of its method, `began`
        the time (by `time.monotonic`) at which it came, `code` its gRPC status code, `refusal` why it was refused, if
        it was.
        """
        self.queue.record(method, code, refusal, monotonic() - began)

    def record_left(self, method: int, began: float, context: Context) -> None:
        """Count a call whose caller has left or whose deadline has passed. `method` is the index of its method, `began`
        the time (by `time.monotonic`) at which it came.
        """
        self.record(method, began, code_of_leaving(deadline(context), began))

    async def refuse(self, method: int, began: float, context: Context, reason: Reason) -> NoReturn:
        """End a call with the status of `reason`, and count it; the others are as in `record`. Always raises."""
        status = self._statuses[reason]
        self.record(method, began, status[0], reason)
        await self.abort(context, status)

    def status(self, reason: Reason) -> Status:
        """Return the status for `reason`."""
        return self._statuses[reason]

    async def abort(self, context: Context, status: Status) -> NoReturn:
        """End a call with `status`. Always raises, since that is how grpcio ends a call."""
        code, message, details = status
        try:
            await context.abort(_CODES[code], message, ((DETAILS, details),) if details else ())
        except grpc.aio.InternalError:
            raise asyncio.CancelledError from None  # its caller has left in this very moment
        raise AssertionError  # abort has raised


def deadline(context: Context) -> float | None:
    """Return the time (by `time.monotonic`) at which the caller stops waiting; None if never."""
    remaining = context.time_remaining()
    return None if remaining is None or remaining > _FOREVER_S else monotonic() + remaining
