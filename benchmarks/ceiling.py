"""The cost of tokenizer and engines by themselves, in this process: nothing that serves can do better.

An engine gets token ids in batches, one thread a run, as a server runs it: onnxruntime sorted by length, which is the
best that it can be given; the native engine, which pads nothing, as they come. CPU time is each thread's own, so that
nothing else in this process counts.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import engines
from bothends.engines.contract import TokenIds
from bothends.model.bundle import Bundle, default_path
from results import ONNXRUNTIME, Ceiling, Schedule
from tokens import tokenizer_of

SORTED_BATCHES = (4, 8, 16, 32)
BATCHES = (32, 256)
"""Batch sizes of the native engine: what a request of many sentences brings, and more than it computes side by side."""
CORES = len(os.sched_getaffinity(0))
_THREADS = tuple(sorted({1, CORES}))


class Alone:
    """One engine, loaded once, and what was measured of it so far."""

    def __init__(self, name: str, bundle: Bundle, shuffled: list[TokenIds]) -> None:
        self.name = name
        self._run = engines.load(name, bundle).run
        self._shuffled = shuffled
        is_sorted = name == ONNXRUNTIME
        self._sizes = SORTED_BATCHES if is_sorted else BATCHES
        self._order = sorted(shuffled, key=len) if is_sorted else shuffled
        self._turns: list[list[Schedule]] = []
        self._one_by_one: list[tuple[float, float]] = []
        self._run(shuffled)  # pages, caches, and the input products that the native engine keeps

    def measure_schedules(self) -> None:
        """Measure each schedule once."""
        self._turns.append([self._schedule(batch, threads) for batch in self._sizes for threads in _THREADS])

    def measure_one_by_one(self) -> None:
        """Measure each sentence alone, on one thread."""
        latencies, seconds = timed(lambda ids: self._run([ids]), self._shuffled)
        self._one_by_one.append((1000 * statistics.median(latencies), 1000 * seconds / len(self._shuffled)))

    def ceiling(self) -> Ceiling:
        """Return the medians over the turns."""
        schedules = [
            Schedule(
                same[0].batch,
                same[0].threads,
                statistics.median(schedule.sentences_per_s for schedule in same),
                statistics.median(schedule.cpu_s_per_1000 for schedule in same),
            )
            for same in zip(*self._turns, strict=True)
        ]
        p50_ms, cpu_s = (statistics.median(values) for values in zip(*self._one_by_one, strict=True))
        return Ceiling(self.name, len(self._turns), schedules, p50_ms, cpu_s)

    def _schedule(self, batch: int, threads: int) -> Schedule:
        batches = [self._order[start : start + batch] for start in range(0, len(self._order), batch)]
        left = reversed(batches)  # long ones first, so that the threads end together; shared, each takes the next
        started = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            cpu_s = sum(pool.map(self._drain, [left] * threads))
        seconds = time.perf_counter() - started
        count = len(self._order)
        return Schedule(batch, threads, count / seconds, 1000 * cpu_s / count)

    def _drain(self, batches: Iterator[list[TokenIds]]) -> float:
        cpu_at_start = time.thread_time()
        for batch in batches:
            self._run(batch)
        return time.thread_time() - cpu_at_start


class Engines:
    """A bundle, the packaged one unless another is given, on several engines that take turns at the same sentences."""

    def __init__(
        self, texts: Sequence[str], *, sample: int, names: Sequence[str], bundle: Bundle | None = None
    ) -> None:
        """Choose `sample` of the sentences: one in so many by length, so that lengths are spread as in all of them."""
        bundle = bundle or Bundle.open(default_path())
        self._tokenizer = tokenizer_of(bundle)
        encoded = [tokens.ids for tokens in self._tokenizer.encode(texts)]
        self.mean_tokens = statistics.fmean(map(len, encoded))
        by_length = sorted((ids, text) for ids, text in zip(encoded, texts, strict=True) if ids)
        by_length.sort(key=lambda pair: len(pair[0]))
        chosen = by_length[:: max(1, len(by_length) // sample)]
        random.Random(0).shuffle(chosen)  # noqa: S311  an order, not a secret
        self._sample = [text for _, text in chosen]
        ids: list[TokenIds] = [ids for ids, _ in chosen]
        self._engines = {name: Alone(name, bundle, ids) for name in names}
        self._tokenise: list[float] = []

    def measure_slice(self, *, turns: int = 1) -> None:
        """Measure everything once, but schedules `turns` times. The machine's other work comes and goes, so the engines
        take turns, and a run takes several slices.
        """
        for _ in range(turns):
            for engine in self._engines.values():
                engine.measure_schedules()
        for engine in self._engines.values():
            engine.measure_one_by_one()
        seconds = timed(lambda text: self._tokenizer.encode([text]), self._sample)[1]
        self._tokenise.append(1000 * seconds / len(self._sample))

    def ceilings(self) -> list[Ceiling]:
        """Return the ceiling of each engine."""
        return [engine.ceiling() for engine in self._engines.values()]

    @property
    def tokenise_cpu_s_per_1000(self) -> float:
        """Return the median CPU-seconds over the slices."""
        return statistics.median(self._tokenise)


def timed(run: Callable[[Any], object], items: Sequence[Any]) -> tuple[list[float], float]:
    """Return the seconds that each item took, and CPU-seconds of them all."""
    latencies, cpu_at_start = [], time.thread_time()
    for item in items:
        started = time.perf_counter()
        run(item)
        latencies.append(time.perf_counter() - started)
    return latencies, time.thread_time() - cpu_at_start
