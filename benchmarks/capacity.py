"""Sentences a day to cores, machines, bytes and money: from what was measured here, and assumptions that are flags.

python benchmarks/capacity.py                # measures what docs/performance.json hasn't, simulates, prints the tables
python benchmarks/capacity.py --docs         # writes docs/scaling.json, its page and its charts too
python benchmarks/capacity.py --from docs/scaling.json --price 0.03 --vcpus 64     # yours, and nothing measured

About two minutes on two cores; rates come from docs/performance.json, so other work on the machine does little harm.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import capacity_report
import footprint
import proxies
import validation
from bothends.model.bundle import Bundle, default_path
from capacity_model import USUAL, Assumptions
from costs import Costs, fit_engine, of_record
from machine import describe
from results import Results
from scenarios import Scenarios, steps
from sentences import load
from servers import start_ours
from tokens import token_ids

_DOCS = Path(__file__).parent.parent / "docs"


def simulate(results: Results, shape: Costs, lengths: Sequence[int], ready_s: float) -> dict[str, Any]:
    """Return every scenario, with how far the simulation is from the figures of record."""
    costs = of_record(results, shape, lengths)
    scenarios = Scenarios(costs, lengths)
    return {
        "costs": asdict(costs),
        "replica_per_s": scenarios.capacity,
        "validation": validation.compare(scenarios, results),
        "load": scenarios.load(),
        "connections": scenarios.connections(),
        "slow": scenarios.slow(),
        "steps": [scenarios.step(how) for how in steps(ready_s)],
    }


def _ready_s(start: dict[str, float]) -> float:
    """Seconds of a start on one core, which all its CPU-seconds pass through."""
    return max(start["seconds"], start["cpu_s"])


def measure(results: Results, commands: dict[str, str], *, runs: int, say: Any) -> dict[str, Any]:
    """Measure everything that docs/performance.json lacks, and simulate with it."""
    texts, bundle = load(None), Bundle.open(default_path())
    ids = token_ids(bundle, texts.texts)
    say("the engine by batch")
    shape, error = fit_engine(*footprint.engine(bundle, ids))
    say("bytes on the wire")
    with tempfile.TemporaryDirectory() as folder, start_ours(Path(folder)) as server:
        wire = footprint.wire(server, texts.texts)
    say("starts")
    start = footprint.start(runs)
    say("proxies")
    passed = [asdict(each) for each in proxies.measure(commands, seconds=2.0)]
    say("simulating")
    return {
        "machine": describe(),
        "sentences": texts.source,
        "engine": asdict(shape) | {"error": error},
        "wire": wire,
        "start": start,
        "proxies": passed,
        "simulated": simulate(results, shape, [len(each) for each in ids], _ready_s(start)),
    }


_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--peak", default=USUAL.peak, show_default=True, help="Assumed: the peak's rate over the mean.")
@click.option("--used", default=USUAL.used, show_default=True, help="Assumed: the share of cores used at the peak.")
@click.option("--vcpus", default=USUAL.vcpus, show_default=True, help="Assumed: of a machine.")
@click.option("--price", default=USUAL.price, show_default=True, help="Assumed: USD for a vCPU's hour; put in yours.")
@click.option("--from", "earlier", type=_file, help="Take an earlier run's JSON and measure nothing.")
@click.option("--again", is_flag=True, help="With --from: simulate anew what was measured then.")
@click.option("--runs", default=5, show_default=True, help="Starts measured.")
@click.option("--haproxy", default="haproxy", show_default=True, help="HAProxy's command, if there is one.")
@click.option("--envoy", default="envoy", show_default=True, help="Envoy's command, if there is one.")
@click.option("--docs", is_flag=True, help="Write docs/scaling.json, its page and its charts.")
def main(
    *, earlier: Path | None, again: bool, runs: int, haproxy: str, envoy: str, docs: bool, **assumed: float
) -> None:
    """Print the model's tables in Markdown."""
    say = lambda what: click.echo(f"… {what}", err=True)  # noqa: E731
    results = Results.open(_DOCS / "performance.json")
    if earlier is None:
        found = measure(results, {"HAProxy": haproxy, "Envoy": envoy}, runs=runs, say=say)
    else:
        found = json.loads(earlier.read_text(encoding="utf-8"))
    if earlier is not None and again:
        shape = Costs(**{name: found["engine"][name] for name in ("run_s", "step_s", "token_s")})
        lengths = [len(each) for each in token_ids(Bundle.open(default_path()), load(None).texts)]
        found["simulated"] = simulate(results, shape, lengths, _ready_s(found["start"]))
    given = Assumptions(**assumed)
    if docs:
        (_DOCS / "scaling.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        capacity_report.write(_DOCS, found, results, given)
    else:
        click.echo(capacity_report.markdown(found, results, given))


if __name__ == "__main__":
    main()
