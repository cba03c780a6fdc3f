"""Counts what one key uses of its share: sentences a second, and sentences at once.

Where the native transport serves, its `Usage` counts in C++, so that requests that never come to Python count too. It
keeps this contract, to the same bit. Neither knows a clock: whoever asks says what time it is.
"""

import threading
from enum import Enum, StrEnum, auto
from typing import NamedTuple, Protocol

_BURST_S = 1.0
"""Seconds for which a share that was not used is kept."""
_RETRY_S = 0.1
"""Seconds after which to ask again, where it isn't known when sentences in progress will be done."""
_ROUNDING_S = 1e-3
"""Seconds by which whoever is told to come again comes later, so that the share is there."""


class Excess(StrEnum):
    """Why a share is denied. The native transport's `Excess` has the same names."""

    too_many = auto()
    """More sentences than the key may ever have at once."""
    over_concurrency = auto()
    """As many as it may have at once are in progress."""
    over_rate = auto()
    """The key has had its sentences of this second."""


class Denial(Protocol):
    """That a share is denied."""

    @property
    def reason(self) -> Enum:
        """One by the name of an `Excess`."""

    @property
    def limit(self) -> float:
        """Limit of the key, which would be exceeded."""

    @property
    def in_progress(self) -> int:
        """Number of the key's sentences that are begun and not done."""

    @property
    def after_s(self) -> float:
        """Seconds after which it makes sense to ask again; 0 where it never does."""


class Usage(Protocol):
    """The count of one key's sentences. Every method may be called by any thread; `now` is a time in seconds."""

    @property
    def in_progress(self) -> int:
        """Number of sentences begun and not done."""

    def set_limits(self, sentences_per_s: float | None, concurrent_sentences: int | None) -> None:
        """Replace the limits. What is in progress, saved or owed stays."""

    def take(self, sentences: int, extra: int, now: float) -> Denial | None:
        """Begin so many, of which long ones count `extra` times more in a second's share.

        Returns why not, where that is denied; then don't give them back.
        """
        ...

    def check(self, ahead: int, now: float) -> Denial | None:
        """Return why a share would be denied once `ahead` sentences have theirs; None where it wouldn't."""
        ...

    def pay(self, sentences: int) -> None:
        """Take so many of the share for a request that was none. However many come, the debt is no larger than one."""

    def give_back(self, sentences: int, extra: int, unserved: bool) -> None:
        """End so many: they are done, or, `unserved`, were refused for no fault of the caller's, and don't count."""


class CreateUsage(Protocol):
    """A function that makes the count of a new key; None is no limit."""

    def __call__(self, sentences_per_s: float | None, concurrent_sentences: int | None, now: float) -> Usage:
        """Make it, as of now."""
        ...


class _Denial(NamedTuple):
    reason: Excess
    limit: float
    in_progress: int
    after_s: float


class LocalUsage:
    """A `Usage` that counts in Python."""

    def __init__(self, sentences_per_s: float | None, concurrent_sentences: int | None, now: float) -> None:
        self._lock = threading.Lock()
        self._rate, self._most = sentences_per_s, concurrent_sentences
        self.in_progress = 0
        self._saved = (sentences_per_s or 0.0) * _BURST_S
        self._counted_at = now

    def set_limits(self, sentences_per_s: float | None, concurrent_sentences: int | None) -> None:
        """Replace the limits."""
        with self._lock:
            self._rate, self._most = sentences_per_s, concurrent_sentences

    def take(self, sentences: int, extra: int, now: float) -> Denial | None:
        """Begin so many sentences, or return why not."""
        with self._lock:
            if (denial := self._excess_at_once(sentences)) is not None:
                return denial
            if self._rate is not None:
                if (denial := self._debt(self._rate, 0, now)) is not None:
                    return denial
                self._saved -= sentences + extra  # into debt: else what is more than is ever saved would wait for ever
            self.in_progress += sentences
        return None

    def check(self, ahead: int, now: float) -> Denial | None:
        """Return why a share would be denied."""
        with self._lock:
            return None if self._rate is None else self._debt(self._rate, ahead, now)

    def pay(self, sentences: int) -> None:
        """Take so many of the share for a request that was none."""
        with self._lock:
            if self._rate is not None:
                self._saved = min(self._saved, max(self._saved, 0.0) - sentences)

    def give_back(self, sentences: int, extra: int, unserved: bool) -> None:
        """End so many."""
        with self._lock:
            self.in_progress -= sentences
            if unserved:
                self._saved += sentences + extra

    def _excess_at_once(self, sentences: int) -> Denial | None:
        if self._most is None:
            return None
        if sentences > self._most:
            return _Denial(Excess.too_many, self._most, self.in_progress, 0.0)
        if self.in_progress + sentences > self._most:
            return _Denial(Excess.over_concurrency, self._most, self.in_progress, _RETRY_S)
        return None

    def _debt(self, rate: float, ahead: int, now: float) -> Denial | None:
        passed_s = max(0.0, now - self._counted_at)  # two threads may ask in another order than they looked
        self._saved = min(rate * _BURST_S, self._saved + rate * passed_s)
        self._counted_at = max(self._counted_at, now)
        missing = ahead - self._saved
        return None if missing <= 0 else _Denial(Excess.over_rate, rate, self.in_progress, missing / rate + _ROUNDING_S)
