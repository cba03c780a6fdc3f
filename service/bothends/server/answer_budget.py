"""Bounds the bytes and tokens of answers that are being made, and says whether another answer may be started."""

import math
import threading
from collections.abc import Callable
from typing import NamedTuple

_MAX_BYTES = 128 << 20


class Share(NamedTuple):
    """Share of the answer budget that one answer reserves: its bytes and its tokens."""

    bytes: int
    tokens: int = 0
    """Tokens of its sentences, which wait in the queue or run."""


class AnswerBudget:
    """Budget of bytes and tokens for all answers that are being made at one time."""

    def __init__(self, max_bytes: int = _MAX_BYTES, *, max_tokens: float = math.inf) -> None:
        """Start with the whole budget.

        An answer larger than the budget may start while less than the maximum is reserved.
        """
        self._most = (max_bytes, max_tokens)
        self._lock = threading.Lock()
        self._then: Callable[[], None] = lambda: None
        self.taken_bytes = 0
        self.taken_tokens = 0

    @property
    def is_full(self) -> bool:
        """True while no further answer may be started."""
        max_bytes, max_tokens = self._most
        return self.taken_bytes >= max_bytes or self.taken_tokens >= max_tokens

    def on_freed(self, then: Callable[[], None]) -> None:
        """Call `then`, which must return quickly, each time a reserved share is given back."""
        self._then = then

    def reserve(self, share: Share) -> None:
        """Reserve `share` for an answer that starts now."""
        with self._lock:
            self.taken_bytes += share.bytes
            self.taken_tokens += share.tokens

    def give_back(self, share: Share) -> None:
        """Release the `share` of an answer that is being sent, or whose caller has left."""
        with self._lock:
            self.taken_bytes -= share.bytes
            self.taken_tokens -= share.tokens
        self._then()
