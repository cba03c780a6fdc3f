"""Bytes that answers take while they are made, and whether more may be begun. Knows no call and no answer."""

import threading
from collections.abc import Callable

_MOST_BYTES = 128 << 20


class Room:
    """Room for answers in the making."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._then: Callable[[], None] = lambda: None
        self.taken_bytes = 0

    @property
    def is_full(self) -> bool:
        """True while no more answers are to be begun."""
        return self.taken_bytes >= self._most_bytes

    def on_freed(self, then: Callable[[], None]) -> None:
        """Call `then`, which must return soon, whenever some of it was given back."""
        self._then = then

    def take(self, size: int) -> None:
        """Count an answer that is begun."""
        with self._lock:
            self.taken_bytes += size

    def give_back(self, size: int) -> None:
        """Count off an answer: its caller is being sent it, or has left."""
        with self._lock:
            self.taken_bytes -= size
        self._then()
