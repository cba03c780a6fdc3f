"""The native engine's distance from what its processor could do: one thread, roofs and runs measured by turns.

python benchmarks/roofline.py [--sentences FILE] [--rounds 5] [--level avx2] [--docs]

A roofline has two kinds of roof: arithmetic from registers, which no run exceeds, and bytes from where the weights
lie, times what is computed for each. Runs are CPU time of the one thread that computes, best of all rounds. Arithmetic
is what is computed, inputs being folded. With --docs it draws docs/images/roofline.png
and writes the table of native/performance.md.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

import roofline_chart
from bothends.model.bundle import Bundle, default_path
from machine import describe
from report import replace_between_markers
from roofline_runs import NUMBER_BYTES, PRECISIONS, SIZES, SLOTS, Roofs, Run, runs_of
from sentences import load
from style import mark
from tokens import token_ids

_DOCS = Path(__file__).parent.parent / "docs"
_MARKERS = ("<!-- roofline:begin -->", "<!-- roofline:end -->")


def _table(runs: Sequence[Run], roofs: Roofs) -> Iterator[str]:
    yield "| hidden | precision | weights, KiB | " + " | ".join(str(slots) for slots in SLOTS) + " | best of peak |"
    yield "|--:|:--|--:|" + "--:|" * len(SLOTS) + "--:|"
    for hidden in SIZES:
        for precision in PRECISIONS:
            own = [run for run in runs if (run.hidden, run.precision) == (hidden, precision)]
            cells = " | ".join(f"{run.achieved / 1e9:,.0f}" for run in own)
            share = max(run.achieved for run in own) / roofs.peaks[precision]
            size = 4 * hidden**2 * NUMBER_BYTES[precision] // 1024
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
        "(../docs/images/roofline.png)",
        "",
        "GOp/s by how many sentences go side by side (slots); weights are one direction's:",
        "",
        *_table(runs, roofs),
    ])  # fmt: skip


@click.command()
@click.option("--sentences", type=click.Path(path_type=Path, exists=True), help="A text file, a sentence a line.")
@click.option("--rounds", default=5, show_default=True, help="Times each is measured, in turn.")
@click.option("--level", default="auto", show_default=True, help="The native engine's instructions.")
@click.option("--docs", is_flag=True, help="Write native/performance.md and its picture.")
def main(*, sentences: Path | None, rounds: int, level: str, docs: bool) -> None:
    """Measure roofs and runs, and print them as Markdown."""
    bundle = Bundle.open(default_path())
    texts = load(sentences).texts[: max(SIZES.values())]
    runs = list(runs_of(bundle, token_ids(bundle, texts), level))
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
        replace_between_markers(_DOCS.parent / "native" / "performance.md", text, markers=_MARKERS)
        mark("roofline.png")


if __name__ == "__main__":
    main()
