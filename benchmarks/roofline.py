"""How near the native kernel comes to what its processor could do: one thread, roofs and runs measured by turns.

python benchmarks/roofline.py [--sentences FILE] [--rounds 5] [--level avx2] [--docs]

A roofline has two kinds of roof: arithmetic from registers, which no run exceeds, and bytes from where the weights
lie, times what is computed for each. Runs are CPU time of the one thread that computes, best of all rounds. Arithmetic
is what is computed, inputs being folded. With --docs it draws docs/images/roofline.png and writes the table beside it.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bothends_kernel
import click
import numpy as np

import roofline_chart
from bothends.engines.contract import TokenIds
from bothends.engines.native import flat
from bothends.engines.onnx_weights import read
from bothends.model.bundle import Bundle, default_path
from bothends.model.tokenizer import Tokenizer
from kernel import PRECISIONS, Rows
from machine import cache_bytes, describe
from report import replace_between_markers
from sentences import load

SIZES = {256: 240, 512: 120, 1024: 60}
"""Sentences of a run, by hidden units; 256 is the packaged bundle, the others have random weights."""
SLOTS = (1, 2, 3, 6, 12, 24, 48)
"""How many sentences go side by side."""
_NUMBER_BYTES = {"float32": 4, "bf16": 2, "int8": 1}
_DOCS = Path(__file__).parent.parent / "docs"
_MARKERS = ("<!-- roofline:begin -->", "<!-- roofline:end -->")


@dataclass
class Run:
    """One encoder over the same sentences, round by round; `seconds` is of the best."""

    hidden: int
    precision: str
    slots: int
    encoder: Any
    arrays: tuple[Any, Any]
    operations: int
    seconds: float = field(default=float("inf"))

    def round(self) -> None:
        """Measure once more."""
        started = time.thread_time()
        self.encoder.run(*self.arrays)
        self.seconds = min(self.seconds, time.thread_time() - started)

    @property
    def intensity(self) -> float:
        """Operations for each byte of weights that a step reads: two for each slot and weight."""
        return 2 * self.slots / _NUMBER_BYTES[self.precision]

    @property
    def achieved(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds


@dataclass
class Roofs:
    """The best of all rounds: operations a second by precision, bytes a second by where they come from."""

    level: str
    peaks: dict[str, float] = field(default_factory=dict)
    bandwidths: dict[str, float] = field(default_factory=dict)

    def round(self) -> None:
        """Measure once more."""
        for precision in PRECISIONS:
            peak = bothends_kernel.peak(level=self.level, precision=precision)
            self.peaks[precision] = max(peak, self.peaks.get(precision, 0))
        for name, size in _memories().items():
            bandwidth = bothends_kernel.bandwidth(size, level=self.level)
            self.bandwidths[name] = max(bandwidth, self.bandwidths.get(name, 0))


def _memories() -> dict[str, int]:
    """How much to read so that it comes from there: half of a cache, or four times the largest."""
    second, third = cache_bytes(2), cache_bytes(3)
    return {"L2": second // 2, "L3": third // 4, "DRAM": min(4 * third, 2**30)}


def _layers(hidden: int, embedding: int) -> list[dict[str, Rows]]:
    """One layer of random weights."""
    random, bound = np.random.default_rng(0), hidden**-0.5
    sizes = {"W": (4 * hidden, embedding), "R": (4 * hidden, hidden), "B": (8 * hidden,)}
    return [{key: random.uniform(-bound, bound, (2, *size)).astype(np.float32) for key, size in sizes.items()}]


def _runs(bundle: Bundle, sentences: list[TokenIds], level: str) -> Iterator[Run]:
    held = read(bundle)
    for hidden, count in SIZES.items():
        own = held.layers if hidden == bundle.config.hidden_size else _layers(hidden, held.table.shape[1])
        arrays = flat(sentences[:count])
        # Of a token: two directions, four gates, and for each of their units a product and a sum with each state.
        operations = 2 * 4 * 2 * hidden**2 * len(arrays[0])
        for precision in PRECISIONS:
            for slots in SLOTS:
                encoder = bothends_kernel.Encoder(held.table, own, precision=precision, level=level, slots=slots)
                yield Run(hidden, precision, slots, encoder, arrays, operations)


def _table(runs: Sequence[Run], roofs: Roofs) -> Iterator[str]:
    yield "| hidden | precision | weights, KiB | " + " | ".join(str(slots) for slots in SLOTS) + " | best of peak |"
    yield "|--:|:--|--:|" + "--:|" * len(SLOTS) + "--:|"
    for hidden in SIZES:
        for precision in PRECISIONS:
            own = [run for run in runs if (run.hidden, run.precision) == (hidden, precision)]
            cells = " | ".join(f"{run.achieved / 1e9:,.0f}" for run in own)
            share = max(run.achieved for run in own) / roofs.peaks[precision]
            size = 4 * hidden**2 * _NUMBER_BYTES[precision] // 1024
            yield f"| {hidden} | {precision} | {size:,} | {cells} | {share:.0%} |"


def _text(runs: Sequence[Run], roofs: Roofs, level: str) -> str:
    machine = describe()
    peaks = ", ".join(f"{name} {peak / 1e9:,.0f}" for name, peak in roofs.peaks.items())
    rates = ", ".join(f"{name} {rate / 1e9:,.0f}" for name, rate in roofs.bandwidths.items())
    return "\n".join([
        f"{machine['date']}: {machine['processor']}, {machine['cores']} cores, one thread, level {level}. Peaks from "
        f"registers, GOp/s: {peaks}. Bandwidths, GB/s: {rates}.",
        "",
        "![Operations a second against operations for each byte of weights, below what registers and memories allow]"
        "(images/roofline.png)",
        "",
        "GOp/s by how many sentences go side by side (slots); weights are one direction's:",
        "",
        *_table(runs, roofs),
    ])  # fmt: skip


@click.command()
@click.option("--sentences", type=click.Path(path_type=Path, exists=True), help="A text file, a sentence a line.")
@click.option("--rounds", default=5, show_default=True, help="Times each is measured, in turn.")
@click.option("--level", default="auto", show_default=True, help="The kernel's instructions.")
@click.option("--docs", is_flag=True, help="Write docs/performance.md and its picture.")
def main(*, sentences: Path | None, rounds: int, level: str, docs: bool) -> None:
    """Measure roofs and runs, and print them as Markdown."""
    bundle = Bundle.open(default_path())
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
    texts = load(sentences).texts[: max(SIZES.values())]
    runs = list(_runs(bundle, [tokens.ids for tokens in tokenizer.encode(texts) if tokens.ids], level))
    roofs, level = Roofs(level), runs[0].encoder.level
    for run in runs:
        run.encoder.run(*run.arrays)  # pages, caches and the table's rows
    for _ in range(rounds):
        roofs.round()
        for run in runs:
            run.round()
    text = _text(runs, roofs, level)
    print(text)
    if docs:
        roofline_chart.draw(runs, roofs, level, _DOCS / "images" / "roofline.png")
        replace_between_markers(_DOCS / "performance.md", text, markers=_MARKERS)


if __name__ == "__main__":
    main()
