"""A clock that the test moves."""


class Clock:
    """A clock that stands still unless the test moves it. Whoever sleeps by it goes on at once, that much later."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
