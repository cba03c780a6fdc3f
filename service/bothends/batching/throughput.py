"""Estimates how long work will take from how long it took lately."""

_WEIGHT = 0.1
"""Weight of the newest figure in the running average."""


class Throughput:
    """A running estimate of tokens a second."""

    def __init__(self) -> None:
        self._tokens_per_s = 0.0

    def record(self, tokens: int, seconds: float, *, at_once: int) -> None:
        """Count `tokens` that took `seconds`, while as much went on in `at_once` places."""
        if seconds > 0:
            speed = tokens / seconds * at_once
            self._tokens_per_s += (speed - self._tokens_per_s) * (_WEIGHT if self._tokens_per_s else 1.0)

    def seconds_for(self, tokens: float) -> float:
        """Estimated time that `tokens` will take, in seconds; 0 before anything was recorded."""
        return tokens / self._tokens_per_s if self._tokens_per_s else 0.0
