"""Queue of messages in fair order of their callers, with an estimate of how long a new one would wait."""

from collections.abc import Callable
from time import monotonic

from ...caller import Caller
from ...price import BYTE_S
from ...turns import Turns
from ..contract import Message

_SMOOTHING = 1 / 16
"""The newest message's share in the mean time of one."""
_MESSAGE_BYTES = 64
"""Bytes that a message counts for in its caller's turns besides its own."""


class Line:
    """Queue of waiting messages. Not thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._turns: Turns[Message] = Turns()
        self._mean_s = 0.0
        self._last_taken: float | None = None

    def __len__(self) -> int:
        return len(self._turns)

    def lag_s(self, ahead: int) -> float:
        """Estimate the seconds that a new message would wait: the mean time of a message times the number of those here
        and of `ahead` more.
        """
        return (len(self._turns) + ahead) * self._mean_s

    def put(self, message: Message) -> None:
        """Add a message."""
        work_s = BYTE_S * (_MESSAGE_BYTES + len(message.content))
        self._turns.put(message, Caller(message.network, message.caller), work_s=work_s)

    def remove(self, message: Message) -> bool:
        """Remove a message that has ended; returns False if it was already taken."""
        return self._turns.remove(message, Caller(message.network, message.caller))

    def take_messages(self, max_messages: int, max_bytes: int) -> list[Message]:
        """Take at most `max_messages` messages of at most `max_bytes` together, in fair order; the first one may be
        larger.
        """
        taken: list[Message] = []
        size = 0
        while len(taken) < max_messages and (first := self._turns.first) is not None:
            size += len(first.content)
            if taken and size > max_bytes:
                break
            self._turns.take_next()
            taken.append(first)
        if taken:
            self._measure(len(taken))
        return taken

    def _measure(self, taken: int) -> None:
        now = self._clock()
        if self._last_taken is not None:
            self._mean_s += min(1.0, taken * _SMOOTHING) * ((now - self._last_taken) / taken - self._mean_s)
        self._last_taken = now if len(self._turns) else None  # the time until a later one comes would say nothing
