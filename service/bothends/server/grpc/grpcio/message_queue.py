"""Passes messages from grpcio's event loop to the threads that answer them, and reports callers that have left."""

import threading
from collections.abc import Hashable, Sequence
from itertools import islice
from typing import NamedTuple

from ..contract import Message, Reason


class GrpcioMessage(NamedTuple):
    """Request message that grpcio has received; see `Message` in grpc/contract.py."""

    id: int
    method: int
    content: bytes
    deadline: float | None
    metadata: tuple[tuple[str, str | bytes], ...]
    caller: int
    arrived: float
    key: bytes = b""
    network: Hashable = b""


class GrpcioBatch(NamedTuple):
    """Result of one `take_messages` of a grpcio transport; see `Batch` in grpc/contract.py."""

    messages: Sequence[Message]
    over: Sequence[int]


class GrpcioEnded(NamedTuple):
    """`Ended` of a grpcio transport: similar calls that ended by themselves."""

    method: int
    code: int
    refusal: Reason | None
    seconds: Sequence[float]


class MessageQueue:
    """Thread-safe queue of messages that have arrived, and of calls that have ended by themselves."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._metered: dict[int, Message] = {}
        self._unmetered: dict[int, Message] = {}
        self._over: list[int] = []
        self._ended: dict[tuple[int, int, Reason | None], list[float]] = {}
        self._is_closed = False
        self._woken = 0

    @property
    def waiting(self) -> int:
        """Number of waiting messages."""
        return len(self._metered)

    def put(self, message: Message, *, is_metered: bool = True) -> None:
        """Add a message, and wake a thread that waits for one."""
        with self._changed:
            (self._metered if is_metered else self._unmetered)[message.id] = message
            self._changed.notify()

    def leave(self, message: Message) -> bool:
        """Mark a message as ended; returns True if no thread had taken it."""
        with self._changed:
            if self._unmetered.pop(message.id, None) or self._metered.pop(message.id, None):
                return True
            self._over.append(message.id)
            self._changed.notify()
            return False

    def record(self, method: int, code: int, refusal: Reason | None, seconds: float) -> None:
        """Count a call that ended by itself, `seconds` after it arrived: `method` is the index of its method, `code`
        its gRPC status code, `refusal` why it was refused, if it was.
        """
        with self._changed:
            self._ended.setdefault((method, code, refusal), []).append(seconds)

    def ended(self) -> list[GrpcioEnded]:
        """Return the calls that ended by themselves since the last call of this."""
        with self._changed:
            ended, self._ended = self._ended, {}
        return [GrpcioEnded(*what, seconds) for what, seconds in ended.items()]

    def wake(self) -> None:
        """Make one `take_messages` return early: one that waits now, or otherwise the next one."""
        with self._changed:
            self._woken += 1
            self._changed.notify()

    def take_messages(self, max_messages: int, wait_s: float, max_bytes: int) -> GrpcioBatch | None:
        """Wait up to `wait_s` seconds for messages, or for the end of earlier ones, and return both; None once closed.

        The other parameters are those of `Transport.take_messages`; metered messages come in the order of their
        arrival.
        """

        def has_come() -> bool:
            return bool(self._is_closed or self._woken or self._over or self._unmetered or self._metered)

        with self._changed:
            self._changed.wait_for(has_come, wait_s)
            if self._is_closed:
                return None
            self._woken = max(0, self._woken - 1)
            unmetered, self._unmetered = self._unmetered, {}
            over, self._over = self._over, []
            return GrpcioBatch([*unmetered.values(), *self._taken(max_messages, max_bytes)], over)

    def _taken(self, max_messages: int, max_bytes: int) -> list[Message]:
        taken: list[Message] = []
        for message in islice(self._metered.values(), max_messages):
            max_bytes -= len(message.content)
            if taken and max_bytes < 0:
                break
            taken.append(message)
        for message in taken:
            del self._metered[message.id]
        return taken

    def close(self) -> None:
        """Make every `take_messages` return None from now on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
