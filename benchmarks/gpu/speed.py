"""The cost of a batch by its rows and its length, and of runs at once. Timed on a card; on a stand-in it only runs."""

import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from checks import CLOSE, VOCABULARY, Checks
from numpy.typing import NDArray

from bothends.core.batch_sizes import batching
from bothends.engines.onnxruntime import OnnxRuntimeEngine

ROWS = (1, 4, 16, 64, 128, 256, 512, 1024, 4096)
LONGEST = (8, 16, 32, 64, 128, 256)
MAX_TOKENS = 65536


def timed(run: Callable[[], object], seconds: float) -> float:
    """Median seconds of a call, after one that isn't counted."""
    run()
    took: list[float] = []
    while sum(took) < seconds or len(took) < 3:
        started = time.perf_counter()
        run()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def fitted(cells: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Seconds a run, a step, and a row and step; and the worst relative error of run + longest · (step + rows · row).

    `cells` holds rows, longest and seconds of each batch. Each weighs the same, however long it takes. Without a
    constant a run, what each one costs would be taken for a cost of its steps.
    """
    rows, longest, seconds = cells.T
    terms = np.stack([np.ones_like(rows), longest, longest * rows], axis=1) / seconds[:, None]
    (run_s, step_s, row_s), *_ = np.linalg.lstsq(terms, np.ones(len(cells)), rcond=None)
    worst = np.abs((run_s + longest * (step_s + rows * row_s)) / seconds - 1).max()
    return float(run_s), float(step_s), float(row_s), float(worst)


def grid(checks: Checks) -> None:
    """Batches of many shapes, and the overhead of a step in rows, which `_ON_GPU` in core/batch_sizes.py should be."""
    gpu = OnnxRuntimeEngine(checks.english, device="cuda")
    shapes = [(rows, longest) for longest in LONGEST for rows in ROWS if rows * longest <= MAX_TOKENS]
    if checks.standin:
        shapes = [(rows, longest) for rows, longest in shapes if rows * longest <= 512 and rows <= 64]
    cells = []
    for rows, longest in shapes:
        batch = checks.random.integers(0, VOCABULARY, (rows, longest)).tolist()
        cells.append((rows, longest, timed(lambda batch=batch: gpu.run(batch), 0 if checks.standin else 0.15)))  # type: ignore[misc]
    checks.found["rows, longest, ms"] = [(rows, longest, round(1e3 * seconds, 4)) for rows, longest, seconds in cells]
    rows, longest, seconds = max(cells, key=lambda cell: cell[0] * cell[1] / cell[2])
    rate = rows * longest / seconds
    checks.check("speed", checks.standin or rate > 2e6, f"at best {rate / 1e6:.2f} M tokens/s, at {rows} × {longest}")
    run_s, step_s, row_s, worst = fitted(np.array(cells))
    used = batching(checks.english.config, "cuda").overhead_rows
    checks.check(
        "cost of a batch",
        checks.standin or used / 4 <= step_s / row_s <= used * 4,
        f"{run_s * 1e6:.0f} us a run, {step_s * 1e6:.2f} us a step, {row_s * 1e9:.1f} ns a row and step: overhead_rows "
        f"= {step_s / row_s:.0f} ({used:g} in use); at worst {worst:.0%} off",
    )


def at_once(checks: Checks) -> None:
    """Two and three runs at once don't mix; whether they are faster than one after another."""
    gpu = OnnxRuntimeEngine(checks.english, device="cuda")
    batch = checks.sentences(16 if checks.standin else 256, 3, 40)
    alone, count = gpu.run(batch), 4 if checks.standin else 60
    rates = {}
    for threads in (1, 2, 3):
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: gpu.run(batch), range(threads)))
            started = time.perf_counter()
            rows = list(pool.map(lambda _: gpu.run(batch), range(count)))
            rates[threads] = round(count * len(batch) / (time.perf_counter() - started))
        worst = max(float(np.abs(found - alone).max()) for found in rows)
        checks.check(f"{threads} at once don't mix", worst <= CLOSE, f"{worst:.1e}, {rates[threads]:,} sentences/s")
    gain = rates[2] / rates[1]
    checks.check("two at once are worth it", checks.standin or gain > 1, f"× {gain:.2f}")


def first_run(checks: Checks) -> None:
    """The first run of a thread, which warm_up takes from the first request."""
    gpu, took = OnnxRuntimeEngine(checks.english, device="cuda"), []

    def run() -> None:
        for _ in range(2):
            started = time.perf_counter()
            gpu.run(checks.golden)
            took.append(time.perf_counter() - started)

    gpu.run(checks.golden)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    said = f"{took[0] * 1e3:.1f} ms, then {took[1] * 1e3:.1f} ms"
    checks.check("first run of a thread", checks.standin or took[0] < 0.5, said)
