"""Account of one key, and its quota: sentences a second, and sentences in progress."""

import time
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass

from ..errors import BothendsError, QuotaError, RequestError
from .usage import CreateUsage, Denial, Excess, LocalUsage

_LONG = 4096
"""Characters, or token ids, of a sentence that counts once more: far more than a model reads of one.
native/transport/usage.cpp has the same."""
OVER_RATE = "this key may send {limit} sentences a second"
OVER_CONCURRENCY = "{in_progress} sentences of this key are in progress, and {limit} may be"
"""What callers are told, also by the native transport, which fills in the numbers."""


def extra(sentences: Sequence[Sized]) -> int:
    """Return what long `sentences` count beyond one each: one for every 4,096 characters."""
    return sum(len(sentence) // _LONG for sentence in sentences)


@dataclass(frozen=True, slots=True)
class Quota:
    """Quota of one key; a limit of None is no limit."""

    sentences_per_s: float | None = None
    concurrent_sentences: int | None = None

    @property
    def is_set(self) -> bool:
        """True if there is any limit."""
        return self.sentences_per_s is not None or self.concurrent_sentences is not None


class KeyAccount:
    """Usage of the server by one key. `name` is the key's, for people to read."""

    def __init__(
        self,
        name: str,
        limits: Quota,
        *,
        clock: Callable[[], float] = time.monotonic,
        create_usage: CreateUsage = LocalUsage,
    ) -> None:
        """`create_usage` makes what counts: here, or in the native transport, whose clock is `time.monotonic` too."""
        self.name = name
        self._limits = limits
        self._clock = clock
        self.usage = create_usage(limits.sentences_per_s, limits.concurrent_sentences, clock())
        """Count of its sentences, by whatever door they come."""
        self.on_freed: Callable[[], None] = lambda: None
        """Function that is called when sentences that were started here have ended; it must return quickly."""

    @property
    def limits(self) -> Quota:
        """Quota of the key. It may be replaced while sentences are in progress."""
        return self._limits

    @limits.setter
    def limits(self, limits: Quota) -> None:
        self._limits = limits
        self.usage.set_limits(limits.sentences_per_s, limits.concurrent_sentences)

    @property
    def in_progress(self) -> int:
        """Number of sentences in progress."""
        return self.usage.in_progress

    def capped(self, sentences: int) -> int:
        """Return the number of sentences that one request of this key may have: `sentences`, or its quota if that is
        less.
        """
        return min(sentences, self.limits.concurrent_sentences or sentences)

    def take_share(self, sentences: int, *, extra: int = 0) -> None:
        """Start `sentences` sentences; `extra` is what long ones add to the count of sentences a second.

        Raises QuotaError, or RequestError if the quota never allows so many; then don't give them back.
        """
        if (denial := self.usage.take(sentences, extra, self._clock())) is not None:
            raise _error(denial, sentences)

    def check(self, *, ahead: int = 0) -> None:
        """Raise QuotaError while the key is over its quota, so that its long requests needn't be read.

        `ahead` is the number of waiting sentences that will be counted first.
        """
        if (denial := self.usage.check(ahead, self._clock())) is not None:
            raise _error(denial, ahead)

    def pay(self, sentences: int) -> None:
        """Charge a failed request as this many sentences. The debt never exceeds that of one such request."""
        self.usage.pay(sentences)

    def give_back(self, sentences: int, *, extra: int = 0, unserved: bool = False) -> None:
        """End `sentences` sentences: they are done, or `unserved`, which means refused by no fault of the caller and
        not counted.
        """
        self.usage.give_back(sentences, extra, unserved)
        self.on_freed()


def _error(denial: Denial, sentences: int) -> BothendsError:
    limit = int(denial.limit)
    match Excess[denial.reason.name]:
        case Excess.too_many:
            return RequestError(f"{sentences} sentences are more than this key's limit of {limit} at once")
        case Excess.over_concurrency:
            message = OVER_CONCURRENCY.format(in_progress=denial.in_progress, limit=limit)
        case Excess.over_rate:
            message = OVER_RATE.format(limit=f"{denial.limit:g}")
    return QuotaError(message, retry_after_s=denial.after_s)
