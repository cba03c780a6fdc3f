"""Counts the bytes and tokens of answers that are being made, and says whether more may be begun."""

import math
import threading
from collections.abc import Callable
from typing import NamedTuple

_MAX_BYTES = 128 << 20


class Share(NamedTuple):
    """Part of the room that one answer takes."""

    bytes: int
    tokens: int = 0
    """Tokens of its sentences, which wait in the queue or run."""


class AnswerBudget:
    """Room for answers in the making."""

    def __init__(self, max_bytes: int = _MAX_BYTES, *, max_tokens: float = math.inf) -> None:
        """Begin with all of it. One answer may be larger: it is begun where less than the most is taken."""
        self._most = (max_bytes, max_tokens)
        self._lock = threading.Lock()
        self._then: Callable[[], None] = lambda: None
        self.taken_bytes = 0
        self.taken_tokens = 0

    @property
    def is_full(self) -> bool:
        """True while no more answers are to be begun."""
        max_bytes, max_tokens = self._most
        return self.taken_bytes >= max_bytes or self.taken_tokens >= max_tokens

    def on_freed(self, then: Callable[[], None]) -> None:
        """Call `then`, which must return soon, whenever some of it was given back."""
        self._then = then

    def reserve(self, share: Share) -> None:
        """Count an answer that is begun."""
        with self._lock:
            self.taken_bytes += share.bytes
            self.taken_tokens += share.tokens

    def give_back(self, share: Share) -> None:
        """Count off an answer: its caller is being sent it, or has left."""
        with self._lock:
            self.taken_bytes -= share.bytes
            self.taken_tokens -= share.tokens
        self._then()
