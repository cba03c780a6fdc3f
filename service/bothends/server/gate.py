"""The door of a server that can stop: who is inside, and a polite refusal for who comes after it has closed."""

import threading
import time

from ..errors import DrainingError, OverloadedError

_QUIET_S = 0.5
"""Longer than a balancer takes to notice: the one in deploy/gateway asks every quarter of a second."""
_LAME_DUCK_S = 2.0


class Gate:
    """Enter and leave it for each request. Full, it raises OverloadedError at the door; closed, DrainingError."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self.inside = 0
        """Number of requests that have entered and not left."""
        self._closed = False
        self._last_refusal = 0.0

    def enter(self) -> None:
        """Come in. Raises OverloadedError or DrainingError; then nobody has to leave."""
        with self._changed:
            if self._closed:
                self._last_refusal = time.monotonic()
                raise DrainingError("the server is stopping")
            if self.inside >= self._limit:
                raise OverloadedError(f"{self.inside} requests are in progress, this server's limit", retry_after_s=0.1)
            self.inside += 1

    def leave(self) -> None:
        """Go out again."""
        with self._changed:
            self.inside -= 1
            if self._closed:
                self._changed.notify_all()

    def close(self, *, timeout_s: float) -> bool:
        """Let nobody in, and wait until everyone is out; returns whether they were, within `timeout_s`.

        Then it stays a while to refuse callers until they are quiet: gRPC's own shutdown resets a call that arrives in
        its moment with CANCELLED (grpc/grpc#41785), which tells a caller neither that nothing was done nor to go
        elsewhere.
        """
        end = time.monotonic() + timeout_s
        with self._changed:
            self._closed = True
            self._last_refusal = time.monotonic()
            empty = self._changed.wait_for(lambda: not self.inside, timeout_s)
        end = min(end, time.monotonic() + _LAME_DUCK_S)
        while (now := time.monotonic()) < min(end, self._last_refusal + _QUIET_S):
            time.sleep(min(end, self._last_refusal + _QUIET_S) - now)
        return empty
