"""The cost of a batch on a device by its rows and its length, and of a step besides its rows.

python benchmarks/gpu.py --device cuda
"""

import statistics
import time
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from bothends.engines.cuda import warm_up
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.engines.select import choose_device
from bothends.model.bundle import Bundle, BundleConfig, default_path
from bothends.settings import EngineSettings

ROWS = {"cpu": "1,2,4,8,16,32", "cuda": "1,4,16,64,256,512,1024"}
LONGEST = {"cpu": "8,16,32,64", "cuda": "8,16,32,64,128,256"}


def flop_a_token(config: BundleConfig) -> int:
    """Floating-point operations of both directions' matrix products, 2 a multiply-add: 4 gates of input and state, for
    each layer.
    """
    hidden = config.hidden_size
    inputs = [config.embedding_size, *[2 * hidden] * (config.layers - 1)]
    return sum(2 * 2 * 4 * hidden * (size + hidden) for size in inputs)


def measure(session: OnnxRuntimeEngine, config: BundleConfig, rows: int, longest: int, *, for_s: float) -> float:
    """Median seconds of a batch of `rows` sentences of `longest` random tokens each; none of it is padding."""
    random = np.random.default_rng(0)
    batch = random.integers(0, config.vocabulary_size, (rows, longest)).tolist()
    session.run(batch)
    taken: list[float] = []
    while sum(taken) < for_s or len(taken) < 3:
        started = time.perf_counter()
        session.run(batch)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def fitted(cells: NDArray[np.float64]) -> tuple[float, float, float]:
    """Overhead in rows, seconds a row and step, and the worst relative error of longest · (overhead + rows) · k.

    `cells` holds rows, longest and seconds of each batch. Each weighs the same, however long it takes.
    """
    rows, longest, seconds = cells.T
    terms = np.stack([longest, longest * rows], axis=1) / seconds[:, None]
    (step_s, row_s), *_ = np.linalg.lstsq(terms, np.ones(len(cells)), rcond=None)
    worst = np.abs(longest * (step_s + rows * row_s) / seconds - 1).max()
    return step_s / row_s, row_s, float(worst)


def numbers(text: str) -> list[int]:
    """Return the numbers of a list like 1,2,4."""
    return [int(number) for number in text.split(",")]


@click.command()
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), default=default_path, help="Default: English.")
@click.option("--rows", help="Sentences a batch, comma-separated; the default depends on the device.")
@click.option("--longest", help="Tokens a sentence, likewise.")
@click.option("--max-tokens", default=65536, show_default=True, help="Leave out batches of more tokens.")
@click.option("--seconds", default=0.3, show_default=True, help="How long each batch is repeated.")
def main(device: str, bundle: Path, rows: str | None, longest: str | None, max_tokens: int, seconds: float) -> None:
    """Print a line for each shape of batch, and the overhead that fits them all."""
    device = choose_device(EngineSettings(device=device))
    all_rows, all_longest = numbers(rows or ROWS[device]), numbers(longest or LONGEST[device])
    opened = Bundle.open(bundle)
    config = opened.config
    session = OnnxRuntimeEngine(opened, device=device)
    started = time.perf_counter()
    warm_up(session, max_rows=max(all_rows), max_tokens=max_tokens, longest=min(max(all_longest), config.max_tokens))
    print(f"{config.name} {config.version} on {session.provider}, warm after {time.perf_counter() - started:.1f} s")
    print(f"{'rows':>6}{'longest':>9}{'p50 ms':>10}{'sentences/s':>13}{'tokens/s':>12}{'GFLOP/s':>10}")
    cells = []
    for length in all_longest:
        for count in all_rows:
            if count * length > max_tokens or length > config.max_tokens:
                continue
            took = measure(session, config, count, length, for_s=seconds)
            cells.append((count, length, took))
            tokens = count * length / took
            print(
                f"{count:>6}{length:>9}{took * 1e3:>10.2f}{count / took:>13,.0f}{tokens:>12,.0f}"
                f"{tokens * flop_a_token(config) / 1e9:>10,.0f}"
            )
    if len({count for count, _, _ in cells}) > 1:  # one width says nothing of what width costs
        overhead, row_s, worst = fitted(np.array(cells))
        print(f"cost = longest · ({overhead:.1f} + rows) · {row_s * 1e6:.3f} us, at worst {worst:.0%} off")
        print(f"so overhead_rows for {device} in service/bothends/core/loaded.py would be {overhead:.1f}")


if __name__ == "__main__":
    main()
