"""Measures what an attack costs others: their calls, the server's memory, the time until both are as before.

Every attack is measured in this one way, so that all stand in one table.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any, Self

from tests.support.events import counted, events_of, in_words
from tests.support.serving import Running
from tests.support.until import TIMEOUT_S, eventually

from .answers import Reference
from .callers import OK, Caller, Tally, call_until
from .vitals import vitals

GoesOn = Callable[[], bool]
Neighbour = Callable[[GoesOn], Tally]
"""Caller who opens a connection, and calls for as long as the function that it is given returns True."""
_ALONE_S, _WARM_S, _EVERY_S, _PROBES = 3.0, 1.0, 0.1, 20


def for_so_long(seconds: float) -> GoesOn:
    """Return a function that returns True for so long."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def singles(running: Running, reference: Reference, **options: Any) -> Neighbour:
    """Return a neighbour who asks for one short sentence after the other over gRPC; `options` are Caller's."""

    def call(goes_on: GoesOn) -> Tally:
        with Caller(running.target, reference.only(range(1, 20)), seed=1, most=1, **options) as caller:
            return call_until(caller, lambda _: goes_on())

    return call


class Costs:
    """Costs of one attack. Entered, it measures the neighbour alone, and looks at the server's memory until its end.

    The block then attacks, has the neighbour call meanwhile, and calls `recover` once the attack is over. What the
    transport has decided by then is a figure; `leaves` is what an attack must leave there, as `events.counted` has it.
    """

    def __init__(
        self, running: Running, neighbour: Neighbour, *, seconds: float = _ALONE_S, leaves: Collection[str] = ()
    ) -> None:
        self._running = running
        self._leaves = set(leaves)
        self._neighbour = neighbour
        self._seconds = seconds
        self._pid = running.process.pid
        self._done = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)
        self.alone, self.others = Tally(), Tally()
        self.events: Counter[str] = Counter()
        self._before_mb = self._max_mb = self.kept_mb = 0.0
        self.back_s = 0.0

    def __enter__(self) -> Self:
        self._neighbour(for_so_long(_WARM_S))
        self.alone = self._neighbour(for_so_long(self._seconds))
        self._before_mb = self._max_mb = self._resident_mb()
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._looking.join()

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Have the neighbour call until the block ends."""
        over = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self._neighbour, lambda: not over.is_set())
            try:
                yield
            finally:
                over.set()
            self.others += asked.result()

    @property
    def grew_mb(self) -> float:
        """Growth of the server's memory since before the attack, at most."""
        return self._max_mb - self._before_mb

    def recover(self, *, max_kept_mb: float = math.inf) -> None:
        """Wait until all is as before, and note how many seconds that took: called at the attack's end.

        As before: of twenty calls over a new connection all are answered, half of them within the p99 alone, and the
        server's memory has grown by less than `max_kept_mb`. Slowness alone fails nothing, since it may be the
        machine's: after a minute it is noted how long that was. Raises AssertionError for the two others.
        """
        began, last = time.monotonic(), Tally()

        def is_as_before() -> bool:
            nonlocal last
            calls = count()
            last, self.kept_mb = self._neighbour(lambda: next(calls) < _PROBES), self._resident_mb() - self._before_mb
            is_quick = last.kinds[OK] == last.kinds.total() and last.percentile_ms(50) <= self.alone.p99_ms
            return is_quick and self.kept_mb < max_kept_mb

        eventually(is_as_before, within_s=TIMEOUT_S)
        self.back_s = time.monotonic() - began
        self.events = counted(events_of(self._running))
        assert self._leaves <= self.events.keys(), self.events
        assert set(last.kinds) == {OK}, last.kinds
        assert self.kept_mb < max_kept_mb

    def figures(self, *, sent_bytes: int, before: str) -> dict[str, float | str]:
        """Return what the table shows; `before` says in words what the attack did before it was bounded."""
        return {
            "lost": self.others.kinds.total() - self.others.kinds[OK],
            "sent_bytes": sent_bytes,
            "before": before,
            "grew_mb": self.grew_mb,
            "kept_mb": self.kept_mb,
            "others": self.others.kinds[OK],
            "others_p50_alone_ms": self.alone.percentile_ms(50),
            "others_p50_ms": self.others.percentile_ms(50),
            "others_p99_alone_ms": self.alone.p99_ms,
            "others_p99_ms": self.others.p99_ms,
            "back_s": self.back_s,
            "events": in_words(self.events),
        }

    def _look(self) -> None:
        while not self._done.wait(_EVERY_S):
            self._max_mb = max(self._max_mb, self._resident_mb())

    def _resident_mb(self) -> float:
        return vitals(self._pid).rss_mb
