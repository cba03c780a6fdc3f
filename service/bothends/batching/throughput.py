"""How fast work has gone lately, to how long more of it will take. Knows nothing of what is counted."""

_WEIGHT = 0.1
"""Of the newest figure in the running average."""


class Throughput:
    """A running estimate of tokens a second."""

    def __init__(self) -> None:
        self._tokens_per_s = 0.0

    def record(self, tokens: int, seconds: float, *, at_once: int) -> None:
        """`tokens` took `seconds`, while as much went on in `at_once` places."""
        if seconds > 0:
            speed = tokens / seconds * at_once
            self._tokens_per_s += (speed - self._tokens_per_s) * (_WEIGHT if self._tokens_per_s else 1.0)

    def seconds_for(self, tokens: float) -> float:
        """How long `tokens` will take, seconds; 0 before anything was seen."""
        return tokens / self._tokens_per_s if self._tokens_per_s else 0.0
