"""Messages that wait to be taken, in turns of their callers, and how long one more would wait. Knows no lock."""

from collections.abc import Callable
from time import monotonic

from .contract import Message

_SMOOTHING = 1 / 16
"""The newest message's share in the mean time of one."""


class Line:
    """Messages that wait. For one thread at a time."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._callers: dict[int, dict[int, Message]] = {}  # whose turn comes first stands first, as its oldest message
        self._waiting = 0
        self._mean_s = 0.0
        self._last_taken: float | None = None

    def __len__(self) -> int:
        return self._waiting

    def lag_s(self, ahead: int) -> float:
        """Estimate the wait behind all messages here and `ahead` more: their number, times one's mean time."""
        return (self._waiting + ahead) * self._mean_s

    def put(self, message: Message) -> None:
        """Add a message."""
        self._callers.setdefault(message.caller, {})[message.id] = message
        self._waiting += 1

    def remove(self, message: Message) -> bool:
        """Take out a message that is over; returns False if it was taken before."""
        messages = self._callers.get(message.caller, {})
        if messages.pop(message.id, None) is None:
            return False
        if not messages:
            del self._callers[message.caller]
        self._waiting -= 1
        return True

    def take(self, most: int, most_bytes: int) -> list[Message]:
        """Take at most so many, one of each caller in turn; the first may be larger than what they may be together."""
        taken: list[Message] = []
        size = 0
        while self._callers and len(taken) < most:
            caller, messages = next(iter(self._callers.items()))
            oldest = next(iter(messages.values()))
            size += len(oldest.content)
            if taken and size > most_bytes:
                break
            taken.append(messages.pop(oldest.id))
            del self._callers[caller]
            if messages:
                self._callers[caller] = messages  # at the end: the others' turns come first
        self._waiting -= len(taken)
        if taken:
            self._measure(len(taken))
        return taken

    def _measure(self, taken: int) -> None:
        now = self._clock()
        if self._last_taken is not None:
            self._mean_s += min(1.0, taken * _SMOOTHING) * ((now - self._last_taken) / taken - self._mean_s)
        self._last_taken = now if self._waiting else None  # the time until a later one comes would say nothing
