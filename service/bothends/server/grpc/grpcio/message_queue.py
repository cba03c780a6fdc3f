"""Passes messages from grpcio's event loop to the threads that take them, and tells which callers have left."""

import threading
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from ...concurrency_limit import MAX_WAIT
from ..contract import Message, Reason
from .line import Line


class Received(NamedTuple):
    """A `Message`."""

    id: int
    method: int
    content: bytes
    deadline: float | None
    metadata: tuple[tuple[str, str | bytes], ...]
    caller: int
    arrived: float
    key: bytes = b""
    network: Hashable = b""


class Taken(NamedTuple):
    """A `Batch`."""

    messages: Sequence[Message]
    over: Sequence[int]


class EndedCalls(NamedTuple):
    """An `Ended`."""

    method: int
    code: int
    refusal: Reason | None
    seconds: Sequence[float]


class MessageQueue:
    """A queue of messages that have come, with the calls that have ended by themselves."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line = Line()
        self._unmetered: dict[int, Message] = {}
        self._over: list[int] = []
        self._ended: dict[tuple[int, int, Reason | None], list[float]] = {}
        self._queue_s = 0.0
        self._is_closed = False
        self._woken = 0

    @property
    def waiting(self) -> int:
        """Number of messages that wait."""
        return len(self._line)

    def is_hopeless(self, remaining_s: float, ahead: int) -> bool:
        """Return True if a call would wait for too much of `remaining_s`, behind all here and `ahead` more."""
        return self._line.lag_s(ahead) + self._queue_s > MAX_WAIT * remaining_s

    def put(self, message: Message, *, is_metered: bool = True) -> None:
        """Add a message, and wake one who waits for it."""
        with self._changed:
            if is_metered:
                self._line.put(message)
            else:
                self._unmetered[message.id] = message
            self._changed.notify()

    def leave(self, message: Message) -> bool:
        """Take note that a message is over; returns True if nobody had taken it."""
        with self._changed:
            if self._unmetered.pop(message.id, None) or self._line.remove(message):
                return True
            self._over.append(message.id)
            self._changed.notify()
            return False

    def record(self, method: int, code: int, refusal: Reason | None, seconds: float) -> None:
        """Take note of a call that ended by itself, so many seconds after it came."""
        with self._changed:
            self._ended.setdefault((method, code, refusal), []).append(seconds)

    def ended(self) -> list[EndedCalls]:
        """Return the calls that ended by themselves since the last look."""
        with self._changed:
            ended, self._ended = self._ended, {}
        return [EndedCalls(*what, seconds) for what, seconds in ended.items()]

    def wake(self) -> None:
        """Make one `take_messages` return early: one that waits now, or else the next one."""
        with self._changed:
            self._woken += 1
            self._changed.notify()

    def take_messages(self, most: int, wait_s: float, queue_s: float, max_bytes: int) -> Taken | None:
        """Wait for messages, or for word of those taken before, and return both; None once closed."""

        def has_come() -> bool:
            return bool(self._is_closed or self._woken or self._over or self._unmetered or (most and self._line))

        with self._changed:
            self._queue_s = queue_s
            self._changed.wait_for(has_come, wait_s)
            if self._is_closed:
                return None
            self._woken = max(0, self._woken - 1)
            unmetered, self._unmetered = self._unmetered, {}
            over, self._over = self._over, []
            return Taken([*unmetered.values(), *self._line.take_messages(most, max_bytes)], over)

    def close(self) -> None:
        """Let every `take_messages` return None from now on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
