"""What tokenizer and engine cost by themselves, in this process: nothing that serves can do better.

The engine gets token ids sorted by length and cut into batches, one thread a run, as the server runs it. CPU time is
each thread's own, so that nothing else in this process counts.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bothends.bundle import Bundle, default_path
from bothends.engine import TokenIds
from bothends.session import Session
from bothends.tokenizer import Tokenizer
from results import Ceiling, Schedule

BATCHES = (4, 8, 16, 32)
CORES = len(os.sched_getaffinity(0))


class Engine:
    """A bundle, the packaged one unless another is given, loaded once, with the slices measured so far."""

    def __init__(self, texts: Sequence[str], *, sample: int, bundle: Bundle | None = None) -> None:
        """Choose `sample` of the sentences: one in so many by length, so that lengths are spread as in all of them."""
        bundle = bundle or Bundle.open(default_path())
        self._tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
        self._session = Session(bundle, device="cpu")
        encoded = [tokens.ids for tokens in self._tokenizer.encode(texts)]
        self.mean_tokens = statistics.fmean(map(len, encoded))
        by_length = sorted((ids, text) for ids, text in zip(encoded, texts, strict=True) if ids)
        by_length.sort(key=lambda pair: len(pair[0]))
        chosen = by_length[:: max(1, len(by_length) // sample)]
        self._sorted: list[TokenIds] = [ids for ids, _ in chosen]
        random.Random(0).shuffle(chosen)  # noqa: S311  an order, not a secret
        self._ids: list[TokenIds] = [ids for ids, _ in chosen]
        self.sample = [text for _, text in chosen]
        """The chosen sentences in random order, for who sends the same ones to a server."""
        self._slices: list[list[Schedule]] = []
        self._one_by_one: list[tuple[float, float]] = []
        self._tokenise: list[float] = []

    def measure_slice(self) -> None:
        """Measure everything once. The machine's other work comes and goes, so a run takes several slices."""
        self._slices.append([self._schedule(batch, threads) for batch in BATCHES for threads in (1, CORES)])
        self.measure_one_by_one()
        seconds = self._timed(lambda text: self._tokenizer.encode([text]), self.sample)[1]
        self._tokenise.append(1000 * seconds / len(self.sample))

    def measure_one_by_one(self) -> None:
        """Each sentence alone, on one thread."""
        latencies, seconds = self._timed(lambda ids: self._session.run([ids]), self._ids)
        self._one_by_one.append((1000 * statistics.median(latencies), 1000 * seconds / len(self._ids)))

    def ceiling(self) -> Ceiling:
        """Medians over the slices."""
        schedules = [
            Schedule(
                same[0].batch,
                same[0].threads,
                statistics.median(schedule.sentences_per_s for schedule in same),
                statistics.median(schedule.cpu_s_per_1000 for schedule in same),
            )
            for same in zip(*self._slices, strict=True)
        ]
        p50_ms, cpu_s = (statistics.median(values) for values in zip(*self._one_by_one, strict=True))
        return Ceiling(len(self._slices), schedules, p50_ms, cpu_s, statistics.median(self._tokenise))

    def _timed(self, run: Callable[[Any], object], items: Sequence[Any]) -> tuple[list[float], float]:
        """Seconds that each item took, and CPU-seconds of them all."""
        latencies, cpu_at_start = [], time.thread_time()
        for item in items:
            started = time.perf_counter()
            run(item)
            latencies.append(time.perf_counter() - started)
        return latencies, time.thread_time() - cpu_at_start

    def _schedule(self, batch: int, threads: int) -> Schedule:
        batches = [self._sorted[start : start + batch] for start in range(0, len(self._sorted), batch)]
        left = reversed(batches)  # long ones first, so that the threads end together; shared, each takes the next
        started = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            cpu_s = sum(pool.map(self._drain, [left] * threads))
        seconds = time.perf_counter() - started
        count = len(self._sorted)
        return Schedule(batch, threads, count / seconds, 1000 * cpu_s / count)

    def _drain(self, batches: Iterator[list[TokenIds]]) -> float:
        cpu_at_start = time.thread_time()
        for batch in batches:
            self._session.run(batch)
        return time.thread_time() - cpu_at_start
