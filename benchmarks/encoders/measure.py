"""Measures encoders by every engine that can compute them, in turns, in seconds of a core."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

import machine
from progress import Show

from .contenders import Contender, Ids, contenders
from .results import TOKENS, EncoderResults, EncoderRow, Measured
from .shapes import VOCABULARY, operations, shapes

_BATCHES = (8, 32)
"""Batch sizes that are tried; each engine's better one counts."""
_OPERATIONS = 1.2e10
"""What a turn computes at least, so that it takes a tenth of a second and more."""
_MAX_SENTENCES = 256


@dataclass(slots=True)
class _Best:
    """One engine's best turns at one length."""

    per_sentence_s: float = np.inf
    one_s: float = np.inf
    one_on_two_s: float | None = None
    peak: float = 0.0
    batch: int = _BATCHES[-1]
    tried: dict[int, float] = field(default_factory=dict)


def measure(names: Sequence[str], *, turns: int, show: Show) -> EncoderResults:
    """Measure the encoders of these names."""
    torch.set_num_threads(1)
    rows = []
    for name in names:
        with show.doing(name, 1):
            rows.append(_row(name, turns))
    return EncoderResults(machine.describe(), turns, rows)


def _row(name: str, turns: int) -> EncoderRow:
    """Measure one encoder; its engines take turns, so that the machine's other work falls on each."""
    config = shapes()[name]
    engines = contenders(config)
    found: dict[str, dict[int, Measured]] = {engine.name: {} for engine in engines}
    for tokens in TOKENS:
        each = operations(config, tokens)
        count = int(min(_MAX_SENTENCES, max(_BATCHES[-1], _OPERATIONS / each // _BATCHES[-1] * _BATCHES[-1])))
        ids = np.random.default_rng(0).integers(0, VOCABULARY, (count, tokens))
        best = {engine.name: _Best() for engine in engines}
        for engine in engines:
            _warm_up(engine, ids, best[engine.name])
        for _ in range(turns):
            for engine in engines:
                _turn(engine, ids, best[engine.name])
        for engine in engines:
            found[engine.name][tokens] = _measured(best[engine.name], each)
    return EncoderRow(name, config.hidden_size, config.layers, found)


def _warm_up(engine: Contender, ids: Ids, best: _Best) -> None:
    """Fill caches, and choose the better size of batches."""
    engine.run(ids[: _BATCHES[-1]])
    for size in _BATCHES:
        best.tried[size] = _seconds(partial(_in_batches, engine, ids[: _BATCHES[-1]], size))
    best.batch = min(best.tried, key=lambda size: best.tried[size])


def _turn(engine: Contender, ids: Ids, best: _Best) -> None:
    best.per_sentence_s = min(best.per_sentence_s, _seconds(partial(_in_batches, engine, ids, best.batch)) / len(ids))
    alone = [ids[row : row + 1] for row in range(3)]
    best.one_s = min(best.one_s, *(_seconds(partial(engine.run, row)) for row in alone))
    if engine.run_on_two is not None:
        waited = [_waited(engine.run_on_two, row) for row in alone]
        best.one_on_two_s = min(waited) if best.one_on_two_s is None else min(best.one_on_two_s, *waited)
    if engine.precision is not None:
        from bothends_native.engine import peak  # only where it is built

        best.peak = max(best.peak, peak(level="auto", precision=engine.precision))


def _in_batches(engine: Contender, ids: Ids, size: int) -> None:
    for start in range(0, len(ids), size):
        engine.run(ids[start : start + size])


def _seconds(work: Callable[[], object]) -> float:
    """Seconds of a core that this thread spends."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _waited(run: Callable[[Ids], object], ids: Ids) -> float:
    """Seconds by the clock, which several threads share."""
    started = time.perf_counter()
    run(ids)
    return time.perf_counter() - started


def _measured(best: _Best, operations_each: float) -> Measured:
    on_two = None if best.one_on_two_s is None else 1000 * best.one_on_two_s
    share = operations_each / best.per_sentence_s / best.peak if best.peak else None
    return Measured(1 / best.per_sentence_s, 1000 * best.one_s, on_two, share)
