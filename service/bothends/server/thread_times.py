"""CPU time that threads use for one call, so that its caller can be charged with it."""

import threading
import time

CHARGED_S = 1e-3
"""Seconds of a core that a call's caller is charged with at once; less is charged with its answer."""


class ThreadTimes:
    """CPU time of the threads that work for one call. Each thread asks for its own."""

    __slots__ = ("_since", "used")

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self.used = 0.0
        """Seconds of a core that were taken so far, of all threads."""

    def begin(self) -> bool:
        """Measure this thread from now on; returns False if it is measured already."""
        thread = threading.get_ident()
        if thread in self._since:
            return False
        self._since[thread] = time.thread_time()
        return True

    def take(self) -> float:
        """Return the seconds of a core that this thread has used since it was last asked, or since `begin`; 0 if it
        isn't measured.
        """
        thread = threading.get_ident()
        if (since := self._since.get(thread)) is None:
            return 0.0
        self._since[thread] = now = time.thread_time()
        self.used += now - since
        return now - since

    def end(self) -> None:
        """Measure this thread no longer."""
        del self._since[threading.get_ident()]
