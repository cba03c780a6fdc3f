"""Counts what one key uses of its quota: sentences a second, and sentences in progress.

With the native transport, its `Usage` counts in C++ instead, so that requests that C++ answers count too; both give the
same results to the bit. Neither reads a clock: the caller passes the time.
"""

import threading
from enum import Enum, StrEnum, auto
from typing import NamedTuple, Protocol

_BURST_S = 1.0
"""Seconds for which a share that was not used is kept."""
_RETRY_S = 0.1
"""Seconds after which to try again, if it is unknown when the sentences in progress will end."""
_ROUNDING_S = 1e-3
"""Seconds that are added to the time after which to try again, so that the quota allows it then."""


class Excess(StrEnum):
    """Reason for which a quota is exceeded. The native transport's `Excess` has the same names."""

    too_many = auto()
    """More sentences than the key may ever have at once."""
    over_concurrency = auto()
    """As many as it may have at once are in progress."""
    over_rate = auto()
    """The key is over its sentences a second."""


class Denial(Protocol):
    """Refusal because a quota is exceeded."""

    @property
    def reason(self) -> Enum:
        """Member with the same name as an `Excess`."""

    @property
    def limit(self) -> float:
        """Limit of the key that would be exceeded."""

    @property
    def in_progress(self) -> int:
        """Number of the key's sentences in progress."""

    @property
    def after_s(self) -> float:
        """Seconds after which a new try makes sense; 0 if it never does."""


class Usage(Protocol):
    """Count of one key's sentences. Every method may be called by any thread; `now` is a time in seconds."""

    @property
    def in_progress(self) -> int:
        """Number of sentences in progress."""

    def set_limits(self, sentences_per_s: float | None, concurrent_sentences: int | None) -> None:
        """Replace the limits. Sentences in progress, and what is saved or owed, stay as they are."""

    def take(self, sentences: int, extra: int, now: float) -> Denial | None:
        """Start `sentences` sentences; `extra` is what long ones add to the count of sentences a second.

        Returns None, or the reason for a refusal; then don't give them back.
        """
        ...

    def check(self, ahead: int, now: float) -> Denial | None:
        """Return the refusal that would apply after `ahead` more sentences have been counted; None if there would be
        none.
        """
        ...

    def pay(self, sentences: int) -> None:
        """Charge a failed request as this many sentences. The debt never exceeds that of one such request."""

    def give_back(self, sentences: int, extra: int, unserved: bool) -> None:
        """End `sentences` sentences: they are done, or `unserved`, which means refused by no fault of the caller and
        not counted.
        """


class CreateUsage(Protocol):
    """Factory of the count for a new key; a limit of None is no limit."""

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
        """Start `sentences` sentences; returns None, or the reason for a refusal."""
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
        """Return the refusal that would apply after `ahead` more sentences; None if there would be none."""
        with self._lock:
            return None if self._rate is None else self._debt(self._rate, ahead, now)

    def pay(self, sentences: int) -> None:
        """Charge a failed request as this many sentences."""
        with self._lock:
            if self._rate is not None:
                self._saved = min(self._saved, max(self._saved, 0.0) - sentences)

    def give_back(self, sentences: int, extra: int, unserved: bool) -> None:
        """End `sentences` sentences."""
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
