"""The native engine beside onnxruntime's best schedules: one thread, the packaged bundle, the same sentences.

python benchmarks/native_engine.py [--sentences FILE] [--sample 1000] [--rounds 7] [--level avx2]

Everything is measured in turn, round by round, in CPU time of the one thread that computes, so that what else the
machine does counts little. Ratios are of the best round of each; look at them before you look at the rates.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import get_args

import click
import numpy as np
from bothends_native.engine import peak
from numpy.typing import NDArray

from bothends.engines.contract import TokenIds
from bothends.engines.native import NativeEngine
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle, default_path
from bothends.options import Precision
from sentences import load
from tokens import token_ids

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
REQUEST = 32
"""Sentences of a request that are measured."""
Rows = NDArray[np.float32]


@dataclass
class Measured:
    """One engine with one schedule: CPU-seconds of each round, and the rows of the last."""

    name: str
    run: Callable[[], Rows]
    precision: str | None = None
    all_at_once: bool = False
    seconds: list[float] = field(default_factory=list)
    rows: Rows = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))

    def round(self) -> None:
        """Measure once more."""
        started = time.thread_time()
        self.rows = self.run()
        self.seconds.append(time.thread_time() - started)


def _sorted(session: OnnxRuntimeEngine, sentences: list[TokenIds], size: int) -> Rows:
    """Return onnxruntime's rows by length-sorted batches over all sentences, the best that it can be given."""
    rows = np.empty((len(sentences), session.dimension), dtype=np.float32)
    order = sorted(range(len(sentences)), key=lambda place: len(sentences[place]))
    for start in range(0, len(order), size):
        places = order[start : start + size]
        rows[places] = session.run([sentences[place] for place in places])
    return rows


def _in_requests(engine: NativeEngine, sentences: list[TokenIds], size: int) -> Rows:
    """Return the native engine's rows of all, `size` sentences a call."""
    return np.concatenate([engine.run(sentences[start : start + size]) for start in range(0, len(sentences), size)])


def _candidates(bundle: Bundle, sentences: list[TokenIds], level: str) -> list[Measured]:
    session = OnnxRuntimeEngine(bundle, device="cpu")
    made = [
        Measured(f"onnxruntime, sorted batches of {size}", partial(_sorted, session, sentences, size))
        for size in (4, 8)
    ]
    made.append(Measured("onnxruntime, one by one", partial(_sorted, session, sentences, 1)))
    for precision in PRECISIONS:
        engine = NativeEngine(bundle, precision=precision, level=level)
        for name, size in (("all at once", len(sentences)), (f"requests of {REQUEST}", REQUEST), ("one by one", 1)):
            run = partial(_in_requests, engine, sentences, size)
            made.append(Measured(f"{precision}, {name}", run, precision, size == len(sentences)))
    return made


def _report(measured: list[Measured], bundle: Bundle, sentences: list[TokenIds], level: str) -> None:
    config = bundle.config
    best = min(min(one.seconds) for one in measured if one.precision is None)
    reference = measured[0].rows
    # Of a token: two directions, four gates, and for each of their units as many products and sums as it reads numbers:
    # one direction's states, and above the first layer, whose inputs are folded, both of the layer below.
    operations = 2 * 4 * 2 * config.hidden_size**2 * (3 * config.layers - 2) * sum(map(len, sentences))
    print("| engine and schedule | sentences/s, median | × onnxruntime's best | GF/s | of peak | ", end="")
    print("largest difference | cosine, mean and least |\n|:--|--:|--:|--:|--:|--:|--:|")
    for one in measured:
        rate, ratio = len(sentences) / statistics.median(one.seconds), best / min(one.seconds)
        achieved, share = "", ""
        if one.precision is not None and one.all_at_once:
            per_s = operations / min(one.seconds)
            share = f"{per_s / peak(level=level, precision=one.precision):.0%}"
            achieved = f"{per_s / 1e9:.0f}"
        norms = np.linalg.norm(one.rows, axis=1) * np.linalg.norm(reference, axis=1)
        cosines = (one.rows * reference).sum(axis=1) / norms
        difference = f"{np.abs(one.rows - reference).max():.1e}"
        print(
            f"| {one.name} | {rate:,.0f} | {ratio:.2f} | {achieved} | {share} | {difference} "
            f"| {cosines.mean():.6f}, {cosines.min():.6f} |"
        )


@click.command()
@click.option("--sentences", type=click.Path(path_type=Path, exists=True), help="A text file, a sentence a line.")
@click.option("--sample", default=1000, show_default=True, help="Sentences measured.")
@click.option("--rounds", default=7, show_default=True, help="Times each is measured, in turn.")
@click.option("--level", default="auto", show_default=True, help="The native engine's instructions.")
def main(*, sentences: Path | None, sample: int, rounds: int, level: str) -> None:
    """Print one table in Markdown. GF/s count what is computed, inputs being folded, against registers' own speed."""
    bundle = Bundle.open(default_path())
    ids = token_ids(bundle, load(sentences).texts[:sample])
    measured = _candidates(bundle, ids, level)
    for one in measured:
        one.run()  # pages, caches and the table's rows
    for _ in range(rounds):
        for one in measured:
            one.round()
    print(f"{len(ids)} sentences of {statistics.fmean(map(len, ids)):.1f} tokens, one thread\n")
    _report(measured, bundle, ids, level)


if __name__ == "__main__":
    main()
