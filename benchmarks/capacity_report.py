"""The capacity model and its simulation as Markdown: tables, and where the charts stand. Measures nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import scaling_charts
from capacity_model import DAY_S, DAYS, LEAST, Assumptions, Need, needs
from figures import WIDE_4
from loads import DEADLINE_MS, PEAK
from report import Table, replace_between_markers, table_in_markdown
from results import BF16, FLOAT32, INT8, ONNXRUNTIME, Results, ours
from scenarios import HOT_LOAD, REPLICAS, SLOW

_MARKERS = "<!-- capacity:begin -->", "<!-- capacity:end -->"
Found = Mapping[str, Any]


def write(docs: Path, found: Found, results: Results, assumed: Assumptions) -> None:
    """Write the page's generated part, and its charts."""
    scaling_charts.draw(found, docs / "images")
    replace_between_markers(docs / "scaling.md", markdown(found, results, assumed), markers=_MARKERS)


def markdown(found: Found, results: Results, assumed: Assumptions) -> str:
    """Return the page's whole generated part."""
    simulated = found["simulated"]
    parts = [
        _setting(found, results, assumed),
        table_in_markdown(_measured(found, results)),
        table_in_markdown(_wire(found["wire"])),
        table_in_markdown(_needs(needs(results, assumed))),
        table_in_markdown(_network(found["wire"], assumed)),
        table_in_markdown(_proxies(found["proxies"], results)),
        _costs(found),
        table_in_markdown(_validation(simulated["validation"])),
    ]
    return "\n\n".join(parts)


def _setting(found: Found, results: Results, assumed: Assumptions) -> str:
    machine = found["machine"]
    return (
        f"{machine['date']}: {machine['processor']}, {machine['cores']} shared cores, {machine['kernel']}; "
        f"Python {machine['python']}, bothends {machine['bothends']}, grpcio {machine['grpcio']}. Rates, CPU and "
        f"memory under load are [performance.json](performance.json)'s of {results.machine['date']}. While the rest "
        f"was measured, the machine was slower: the same engine took {_slower(found):.1f} times the CPU. So a proxy's "
        "CPU stands beside what the server behind it took in the same seconds; a start's is as it was then.\n\n"
        f"**Assumed**, and each a flag: the peak is {assumed.peak:g} times the day's mean; it may use "
        f"{assumed.used:.0%} of the cores; a machine has {assumed.vcpus} vCPUs, one of which does what a core did "
        f"here; an hour of a vCPU costs {assumed.price:g} USD (put in yours)."
    )


def _slower(found: Found) -> float:
    """Return how many times as long a token took in the engine as at the speed of record."""
    return float(found["engine"]["token_s"] / found["simulated"]["costs"]["token_s"])


def _measured(found: Found, results: Results) -> Table:
    rows = []
    for engine in (ONNXRUNTIME, FLOAT32, BF16, INT8):
        single, lists = (results.row(ours(engine), load) for load in (PEAK.name, WIDE_4))
        if single and lists:
            figures = [each.sentences_per_s / int(results.machine["cores"]) for each in (single, lists)]
            cpu = [1000 * (each.cpu_s_per_1000 or 0) for each in (single, lists)]
            rows.append([engine, *(f"{each:,.0f}" for each in (*cpu, *figures)), f"{single.rss_mb:.0f}"])
    start = found["start"]
    title = (
        f"One server: CPU, rate, memory (a start: {start['cpu_s']:.1f} CPU-seconds; to its first embedding "
        f"{start['seconds']:.1f} s on two cores, medians of {start['runs']})"
    )
    headings = ["engine", "CPU-s a million, one by one", "in lists of 32", "sentences/s a core, one by one",
                "in lists of 32", "RSS MB"]  # fmt: skip
    return Table(title, headings, rows)


def _wire(wire: Sequence[Found]) -> Table:
    rows = []
    for protocol, encoding in dict.fromkeys((each["protocol"], each["encoding"]) for each in wire):
        own = {each["sentences"]: each for each in wire if (each["protocol"], each["encoding"]) == (protocol, encoding)}
        cells = [f"{own[size][way]:,.0f}" for size in (1, 32) for way in ("up", "down")]
        rows.append([protocol, encoding, *cells])
    headings = ["protocol", "encoding", "one by one, up", "down", "in lists of 32, up", "down"]
    return Table("Bytes a sentence within TCP, HTTP's framing included", headings, rows, words=2)


def _needs(needed: Sequence[Need]) -> Table:
    headings = ["sentences a day", "traffic", "engine", "mean/s", "peak/s", "cores", "machines", "RSS GB",
                "USD a day", "USD a million"]  # fmt: skip
    rows: list[Sequence[str]] = []
    for each in _without_repeats(needed):
        per_million = each.dollars_a_day / each.sentences * 1e6
        rates = [_rate(each.mean_per_s), _rate(each.peak_per_s)]
        money = [f"{each.dollars_a_day:,.2f}", f"{per_million:.4f}" if per_million < 1 else f"{per_million:.2f}"]
        sizes = [f"{each.cores:,}", f"{each.machines:,}", f"{each.memory_gb:,.1f}"]
        rows.append([_power(each.sentences), each.traffic, each.engine, *rates, *sizes, *money])
    return Table("Machines and money", headings, rows, words=3)


def _without_repeats(needed: Sequence[Need]) -> list[Need]:
    """Make one line of each day for which the fewest replicas will do, whatever comes and computes."""
    kept = []
    for day in DAYS:
        own = [each for each in needed if each.sentences == day]
        is_little = all(each.cores == LEAST for each in own)
        kept += [replace(own[0], traffic="any", engine="any")] if is_little else own
    return kept


def _network(wire: Sequence[Found], assumed: Assumptions) -> Table:
    rows = []
    for size, traffic in ((1, "one by one"), (32, "lists of 32")):
        for each in wire:
            if each["protocol"] == "gRPC" and each["sentences"] == size:
                bits = 8 * (each["up"] + each["down"])
                peaks = [assumed.peak * day / DAY_S * bits / 1e6 for day in DAYS]
                kept = f"{DAYS[-1] * each['down'] / 1e12:,.0f}"
                rows.append([traffic, each["encoding"], *map(_rate, peaks), kept])
    headings = ["traffic", "encoding", *(f"{_power(day)} a day" for day in DAYS), f"answers of {_power(DAYS[-1])}, TB"]
    return Table("Network at the peak, Mbit/s both ways together", headings, rows, words=2)


def _proxies(passed: Sequence[Found], results: Results) -> Table:
    rows = []
    for each in passed:
        row = results.row(ours(FLOAT32), each["load"])
        size = int(each["load"].split()[0])
        if row is None or row.cpu_s_per_1000 is None:
            continue
        quiet_us = each["of_server"] * row.cpu_s_per_1000 * 1000 * size
        cells = [
            f"{each['call_us']:.0f}",
            f"{each['of_server']:.1%}",
            f"{quiet_us:.0f}",
            f"{1e6 * size / quiet_us:,.0f}",
        ]
        rows.append([each["proxy"], each["load"], *cells])
    headings = ["proxy, one thread", "load", "CPU µs a call", "of the server's CPU", "µs at the speed of record",
                "sentences/s that fill a core"]  # fmt: skip
    return Table("A proxy in front", headings, rows, words=2)


def _costs(found: Found) -> str:
    costs, simulated = found["simulated"]["costs"], found["simulated"]
    micro = {name: f"{1e6 * value:.1f} µs" for name, value in costs.items()}
    return (
        f"**What is simulated.** A replica's costs: a model run {micro['run_s']}, and {micro['step_s']} for each step "
        f"of its longest sentence and {micro['token_s']} a token (fitted to batches of 1 to 16 with a mean error of "
        f"{found['engine']['error']:.0%}, then set to the speed of record); a call {micro['call_s']} and a sentence "
        f"{micro['sentence_s']} around it; a worker woken {micro['wake_s']}; a refusal {micro['refuse_s']}; and "
        f"{micro['lost_s']} of each call in which its worker waits, which is the one number that is fitted to what is "
        f"simulated (the rate at 128 callers). A replica of one worker then answers {simulated['replica_per_s']:,.0f} "
        f"single sentences a second at most: a load of 100 % below. Deadlines are {DEADLINE_MS} ms. Hot replicas: "
        f"{REPLICAS}, {HOT_LOAD:.0%} used. A slow one takes {SLOW:g} times as long for everything."
    )


def _validation(pairs: Sequence[Found]) -> Table:
    rows = []
    for each in pairs:
        off = round(each["simulated"] / each["measured"] - 1, 2) + 0.0  # no minus before a zero
        digits = 2 if each["measured"] < 10 else 1 if each["measured"] < 100 else 0
        cells = [f"{each[name]:,.{digits}f}" for name in ("measured", "simulated")]
        rows.append([each["load"], each["figure"], *cells, f"{off:+.0%}"])
    headings = ["load", "figure", "measured", "simulated", "off by"]
    return Table("How far the simulation is off", headings, rows, words=2)


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _power(value: int) -> str:
    return f"10{str(len(str(value)) - 1).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
