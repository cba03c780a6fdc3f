"""Limit on the number of requests in progress. Once closed, it refuses new requests and waits for the others to end."""

import threading
import time
from collections.abc import Callable

from ..errors import DrainingError, OverloadedError

MAX_WAIT = 0.25
"""Share of a call's time that it may be expected to wait. A call that would wait longer is refused unread: serving
the late ones first would make all of them late for as long as the overload lasts (metastable failure)."""
QUIET_S = 0.5
"""Time without a caller after which a stopping server is left; longer than a balancer takes to notice, as the one in
deploy/gateway asks every quarter of a second."""
_LAME_DUCK_S = 2.0


class ConcurrencyLimit:
    """Limit on the number of requests in progress. Call `enter` when a request starts and `leave` when it ends."""

    def __init__(self, *, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._changed = threading.Condition()
        self.inside = 0
        """Number of requests that have entered and not left."""
        self._closed = False
        self._last_refusal = 0.0

    def enter(self) -> None:
        """Start a request. Raises OverloadedError if the limit is reached and DrainingError if closed; then don't call
        `leave`.
        """
        with self._changed:
            if self._closed:
                self._last_refusal = self._clock()
                raise DrainingError("the server is stopping")
            if self.inside >= self._limit:
                raise OverloadedError(f"{self.inside} requests are in progress, this server's limit", retry_after_s=0.1)
            self.inside += 1

    def leave(self) -> None:
        """End a request that was started by `enter`."""
        with self._changed:
            self.inside -= 1
            if self._closed:
                self._changed.notify_all()

    def close(self, *, timeout_s: float) -> bool:
        """Refuse new requests, and wait for those in progress; returns True if all ended within `timeout_s` seconds."""
        with self._changed:
            self._closed = True
            self._last_refusal = self._clock()
            return self._changed.wait_for(lambda: not self.inside, timeout_s)

    def quiet_s(self) -> float:
        """Return the seconds since the last request was refused after closing."""
        return self._clock() - self._last_refusal


def linger(
    quiet_s: Callable[[], float],
    *,
    enough_s: float,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Keep refusing callers for a while, until `quiet_s` says that none has come for `enough_s` seconds, or `timeout_s`
    seconds have passed.

    A call that arrives while the server closes its sockets is reset. Its caller then can't tell that nothing was done,
    and doesn't try another server (grpc/grpc#41785).
    """
    end = clock() + min(timeout_s, _LAME_DUCK_S)
    while (missing_s := min(enough_s - quiet_s(), end - clock())) > 0:
        sleep(missing_s)
