"""A bound on the requests in progress, which can be closed: then it refuses new ones and waits for the rest.

Knows no call and no protocol.
"""

import threading
import time

from ..errors import DrainingError, OverloadedError

_QUIET_S = 0.5
"""Time without a caller after which a closed gate is left; longer than a balancer takes to notice, as the one in
deploy/gateway asks every quarter of a second."""
_LAME_DUCK_S = 2.0


class Gate:
    """Bound on the requests in progress. Enter and leave it for each request."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self.inside = 0
        """Number of requests that have entered and not left."""
        self._closed = False
        self._last_refusal = 0.0

    def enter(self) -> None:
        """Begin a request. Raises OverloadedError if full, DrainingError if closed; then don't `leave`."""
        with self._changed:
            if self._closed:
                self._last_refusal = time.monotonic()
                raise DrainingError("the server is stopping")
            if self.inside >= self._limit:
                raise OverloadedError(f"{self.inside} requests are in progress, this server's limit", retry_after_s=0.1)
            self.inside += 1

    def leave(self) -> None:
        """End a request."""
        with self._changed:
            self.inside -= 1
            if self._closed:
                self._changed.notify_all()

    def close(self, *, timeout_s: float) -> bool:
        """Refuse new requests, and wait until all have left; returns True if that was so within `timeout_s`.

        Then it stays a while to refuse callers until they are quiet: gRPC's own shutdown resets a call that arrives in
        its moment with CANCELLED (grpc/grpc#41785), from which a caller learns neither that nothing was done nor to go
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
