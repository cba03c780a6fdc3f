"""Computes cores, machines, memory and money for so many sentences a day, from the rates of record and your
assumptions.

python benchmarks/capacity.py --price 0.03 --vcpus 64     # prints the table by your own assumptions
python benchmarks/capacity.py --docs                      # writes docs/scaling.md's table anew, by the usual ones
"""

import math
from dataclasses import dataclass
from pathlib import Path

import click

from comparison.results import ComparisonResults, named
from loads import PEAK, wide
from report import Table, replace_between_markers, table_in_markdown
from results import FLOAT32, INT8

_DOCS = Path(__file__).parent.parent / "docs"
_MARKERS = "<!-- capacity:begin -->", "<!-- capacity:end -->"
DAY_S = 86_400
DAYS = {"10⁶": 10**6, "10⁹": 10**9, "10¹¹": 10**11}
"""Numbers of sentences a day that are calculated."""
TRAFFIC = {"one by one": PEAK.name, "lists of 32": wide(4).name}
"""Kinds of traffic, and the load of record that each is like."""
LEAST = 2
"""The fewest replicas of a deployment: one may fail, or be replaced."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Assumptions that can't be measured here: yours differ."""

    peak: float = 3.0
    """The busiest hour's rate over the day's mean."""
    used: float = 0.6
    """Share of the cores that the peak may take."""
    vcpus: int = 16
    """vCPUs of one machine."""
    price: float = 0.04
    """Price of one vCPU for an hour, in US dollars."""


USUAL = Assumptions()
"""The assumptions that hold unless flags say otherwise."""


@dataclass(frozen=True, slots=True)
class Need:
    """Cores, machines, memory and money that a number of sentences a day needs."""

    peak_per_s: float
    cores: int
    machines: int
    memory_gb: float
    """Resident memory with a replica a core."""
    dollars_a_day: float
    """Cost of a day with as many cores all day as at the peak."""


def need(sentences: int, traffic: str, engine: str, found: ComparisonResults, assumed: Assumptions) -> Need:
    """Calculate by the rate of record: what all its cores did together, divided by their number, is a core's. Raises
    KeyError where it isn't known.
    """
    row = named(found.rows, found.judged(engine), TRAFFIC[traffic])
    if row is None:
        raise KeyError(f"{engine} was not measured at {TRAFFIC[traffic]}")
    per_core = row.sentences_per_s / int(found.machine["cores"])
    peak_per_s = assumed.peak * sentences / DAY_S
    cores = max(LEAST, math.ceil(peak_per_s / (per_core * assumed.used)))
    machines, memory_gb = math.ceil(cores / assumed.vcpus), cores * row.rss_mb / 1000
    return Need(peak_per_s, cores, machines, memory_gb, cores * 24 * assumed.price)


def markdown(found: ComparisonResults, assumed: Assumptions) -> str:
    """Return the assumptions and the table of needs."""
    machine, tokens = found.machine, found.sentences["short"]["mean_tokens"]
    said = (
        f"Rates and memory are [performance.json](../benchmarks/performance.json)'s of {machine['date']}: "
        f"{machine['processor']}, {machine['cores']} shared cores, sentences of {tokens:.0f} tokens.\n\n"
        f"**Assumed**, and each a flag: the peak is {assumed.peak:g} times the day's mean; it may use "
        f"{assumed.used:.0%} of the cores; a machine has {assumed.vcpus} vCPUs, one of which does what a core did "
        f"here; an hour of a vCPU costs {assumed.price:g} USD (put in yours)."
    )
    rows = []
    for name, day in DAYS.items():
        for traffic in TRAFFIC:
            for engine in (FLOAT32, INT8):
                needed = need(day, traffic, engine, found, assumed)
                sizes = [f"{needed.cores:,}", f"{needed.machines:,}", f"{needed.memory_gb:,.1f}"]
                cells = [f"{needed.peak_per_s:,.0f}", *sizes, f"{needed.dollars_a_day:,.2f}"]
                rows.append([name, traffic, engine, *cells])
    headings = ["sentences a day", "traffic", "engine", "peak/s", "cores", "machines", "RSS GB", "USD a day"]
    return f"{said}\n\n{table_in_markdown(Table('Machines and money', headings, rows, words=3))}"


@click.command()
@click.option("--peak", default=USUAL.peak, show_default=True, help="Assumed: the peak's rate over the mean.")
@click.option("--used", default=USUAL.used, show_default=True, help="Assumed: the share of cores used at the peak.")
@click.option("--vcpus", default=USUAL.vcpus, show_default=True, help="Assumed: of a machine.")
@click.option("--price", default=USUAL.price, show_default=True, help="Assumed: USD for a vCPU's hour; put in yours.")
@click.option("--docs", is_flag=True, help="Write docs/scaling.md's table.")
def main(*, docs: bool, peak: float, used: float, vcpus: int, price: float) -> None:
    """Print the table in Markdown."""
    record = ComparisonResults.open(Path(__file__).parent / "performance.json")
    text = markdown(record, Assumptions(peak, used, vcpus, price))
    if docs:
        replace_between_markers(_DOCS / "scaling.md", text, markers=_MARKERS)
    else:
        click.echo(text)


if __name__ == "__main__":
    main()
