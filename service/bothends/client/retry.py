"""Decides whether a failed call is retried, and after how long; core.py and stream.py then retry it.

It follows gRPC's own retries (https://github.com/grpc/proposal/blob/master/A6-client-retries.md), which can't be used
because they ignore RetryInfo.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BothendsError, ConnectionFailedError, NotServingError, OverloadedError

_MAX_DOUBLINGS = 30
_SHORT_TRY_S = 0.05
_MILLI = 1000
"""Thousandths of a token, in which tokens are counted as gRPC does: ten tenths are one."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry policy: calls are retried when a server is busy, stopping or lost, and never after the caller's own
    mistake.

    All tries happen within the call's deadline: a wait that would (nearly) exceed it isn't started. `Retry(attempts=1)`
    never retries.
    """

    attempts: int = 15
    """Most calls that are made for one request, the first included."""
    first_wait_s: float = 0.1
    """Wait before the first retry, in seconds. Doubles for each further one."""
    longest_wait_s: float = 1.0
    """Wait at which doubling ends, in seconds."""
    burst: int = 100
    """Most retries in a row, over all calls of a client, while none succeeds."""
    share: float = 0.1
    """Retries that each success earns back: in the long run that share of the calls are retries."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts is {self.attempts}; the first call is one, so 1 means no retries")
        for name in ("first_wait_s", "longest_wait_s", "burst", "share"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it can't be less than 0")

    def wait_s(
        self, error: BothendsError, *, failures: int, dice: Callable[[], float], ready_in_s: float = math.inf
    ) -> float | None:
        """Return the seconds to wait after the `failures`th `error` in a row; None if another try is no use.

        `dice` returns numbers from 0 to 1, so that callers that failed together don't come back together. After
        `ready_in_s` seconds another server may be asked: RetryInfo of a full server applies to that server only.
        """
        if failures >= self.attempts:
            return None
        backoff_s = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
        match error:
            case OverloadedError():  # the server says when there is room again: never sooner, but elsewhere
                return max(0.0, min(error.retry_after_s, ready_in_s)) + dice() * backoff_s
            case NotServingError() | ConnectionFailedError():  # half is sure, so that attempts outlast a restart
                return backoff_s * (1 + dice()) / 2
        return None


DEFAULT_RETRY = Retry()


def fits(wait_s: float, left_s: float) -> bool:
    """Return True if `left_s` is enough for the wait, and then a try for as long as the wait, or 0.05 s if that is
    less.

    A shorter try would only run into the deadline, and hide why the earlier one failed.
    """
    return wait_s + min(wait_s, _SHORT_TRY_S) < left_s


class RetryBudget:
    """Budget of tokens for a client's retries: a retry costs one, a success earns a fraction of one. Thread-safe."""

    def __init__(self, retry: Retry) -> None:
        self._most = self._tokens = retry.burst * _MILLI
        self._share = round(retry.share * _MILLI)
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Earn the fraction of a token that a success brings."""
        with self._lock:
            self._tokens = min(self._most, self._tokens + self._share)

    def spend(self) -> bool:
        """Spend a token on a retry; returns False if there is none."""
        with self._lock:
            enough = self._tokens >= _MILLI
            if enough:
                self._tokens -= _MILLI
            return enough
