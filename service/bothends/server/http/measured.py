"""Coroutine that measures what each of its steps uses of the event loop's thread."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from ..thread_times import ThreadTimes

T = TypeVar("T")


class Measured(Coroutine[Any, Any, T]):
    """Coroutine that runs another one, step by step, and reports what the thread has used by the end of each."""

    def __init__(self, inner: Coroutine[Any, Any, T], times: ThreadTimes, used: Callable[[float], None]) -> None:
        """Run `inner`, measure each step by `times`, and call `used` with the seconds of a core that it took.

        Who asks `times` during a step takes what was used so far.
        """
        self._inner = inner
        self._times = times
        self._used = used

    def send(self, value: Any, /) -> Any:
        """Run the next step."""
        return self._step(lambda: self._inner.send(value))

    def throw(self, *raised: Any) -> Any:
        """Run the next step, which begins by an exception."""
        return self._step(lambda: self._inner.throw(*raised))

    def close(self) -> None:
        """End the coroutine."""
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, T]:
        """Run all steps."""
        return self._inner.__await__()

    def _step(self, act: Callable[[], Any]) -> Any:
        self._times.begin()
        try:
            return act()
        finally:
            self._used(self._times.take())
            self._times.end()
