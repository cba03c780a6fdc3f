"""The account of one key, and its limits: sentences a second, and sentences at once."""

import threading
import time
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass

from ..errors import QuotaError, RequestError

_BURST_S = 1.0
"""Seconds for which a share that was not used is kept."""
_RETRY_S = 0.1
"""Seconds after which to ask again, where it isn't known when sentences in progress will be done."""


_LONG = 4096
"""Characters, or token ids, of a sentence that counts once more: far more than a model reads of one."""


def extra(sentences: Sequence[Sized]) -> int:
    """Return what long ones among `sentences` count for besides themselves: one for each 4,096 characters."""
    return sum(len(sentence) // _LONG for sentence in sentences)


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of one key; None is no limit."""

    sentences_per_s: float | None = None
    concurrent_sentences: int | None = None

    @property
    def is_set(self) -> bool:
        """True where there is any limit."""
        return self.sentences_per_s is not None or self.concurrent_sentences is not None


class Account:
    """Use of the server by one key. `name` is the key's, for people."""

    def __init__(self, name: str, limits: Quota, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.limits = limits
        """Limits of the key. They may be replaced while sentences are in progress."""
        self._clock = clock
        self._lock = threading.Lock()
        self.in_progress = 0
        """Number of sentences begun and not done."""
        self.on_freed: Callable[[], None] = lambda: None
        """Function that is called when sentences have ended; it must return soon."""
        self._saved = (limits.sentences_per_s or 0.0) * _BURST_S
        self._counted_at = clock()

    def most(self, sentences: int) -> int:
        """Return `sentences`, or fewer where no request of this key may hold so many."""
        return min(sentences, self.limits.concurrent_sentences or sentences)

    def take_share(self, sentences: int, *, extra: int = 0) -> None:
        """Begin so many, of which long ones count `extra` times more in a second's share.

        Raises QuotaError, or RequestError where there never is room; then don't give them back.
        """
        with self._lock:
            self._refuse_if_too_many(sentences)
            rate = self.limits.sentences_per_s
            if rate is not None:
                self._refuse_if_in_debt(rate)
                self._saved -= sentences + extra  # into debt: else what is more than is ever saved would wait for ever
            self.in_progress += sentences

    def check(self, *, ahead: int = 0) -> None:
        """Raise QuotaError while the key has had more than its share: then nothing long of it need be read.

        `ahead` is the number of sentences that wait for the share and will have theirs before.
        """
        with self._lock:
            if (rate := self.limits.sentences_per_s) is not None:
                self._refuse_if_in_debt(rate, ahead)

    def pay(self, sentences: int) -> None:
        """Take so many of the share for a request that was none. However many come, the debt is no larger than one."""
        with self._lock:
            if self.limits.sentences_per_s is not None:
                self._saved = min(self._saved, max(self._saved, 0) - sentences)

    def give_back(self, sentences: int, *, extra: int = 0, unserved: bool = False) -> None:
        """End so many: they are done, or, `unserved`, were refused for no fault of the caller's, and don't count."""
        with self._lock:
            self.in_progress -= sentences
            if unserved:
                self._saved += sentences + extra
        self.on_freed()

    def _refuse_if_too_many(self, sentences: int) -> None:
        limit = self.limits.concurrent_sentences
        if limit is None:
            return
        if sentences > limit:
            raise RequestError(f"{sentences} sentences are more than this key's limit of {limit} at once")
        if self.in_progress + sentences > limit:
            raise QuotaError(
                f"{self.in_progress} sentences of this key are in progress, and {limit} may be", retry_after_s=_RETRY_S
            )

    def _refuse_if_in_debt(self, rate: float, ahead: int = 0) -> None:
        now = self._clock()
        self._saved = min(rate * _BURST_S, self._saved + rate * (now - self._counted_at))
        self._counted_at = now
        if (missing := ahead - self._saved) > 0:
            raise QuotaError(f"this key may send {rate:g} sentences a second", retry_after_s=missing / rate + 1e-3)
