"""Estimates how long work will take from how long it took lately."""

_WEIGHT = 0.1
"""Weight of the newest figure in the running average."""


class Throughput:
    """A running estimate of work a second, in tokens of a model that costs 1."""

    def __init__(self) -> None:
        self._per_s = 0.0

    def record(self, work: float, seconds: float, *, at_once: int) -> None:
        """Count `work` that took `seconds`, while as much went on in `at_once` places."""
        if seconds > 0:
            speed = work / seconds * at_once
            self._per_s += (speed - self._per_s) * (_WEIGHT if self._per_s else 1.0)

    def seconds_for(self, work: float) -> float:
        """Estimated time that `work` will take, in seconds; 0 before anything was recorded."""
        return work / self._per_s if self._per_s else 0.0
