"""Bars on shards beside figures, and how far one process goes, as it is computed from them."""

import pytest

from loads import PEAK
from results import INT8, ours
from sample_results import row
from servers import Split

from . import report, wall_page
from .bars import judge
from .loads import CELLS
from .results import ComparisonResults, Held, Memory
from .shards import AT_START, BY_PYTHON, CORES, FEW, FOUR, MANY, ON_4, ON_128, ONE, TOGETHER, on_cores

SERVER = ours(INT8, "native")


@pytest.fixture
def found() -> ComparisonResults:
    """A run in which a sentence takes 50 µs of a processor; locks take less of it the more shards there are."""
    machine = dict.fromkeys(("date", "processor", "memory", "kernel", "cores", "python"), "x")
    about = {"source": "somewhere", "count": 2000, "mean_tokens": 15.0}
    made = ComparisonResults(machine, {"seconds": 1.0, "warmup_s": 0.1, "rounds": 1}, {"short": about, "longer": about})
    made.transports = ["native"]
    made.rows = [row(SERVER, load.name, sentences_per_s=1000, cpu_s_per_1000=0.05) for load in CELLS]
    made.rows += [row(ONE.of(SERVER), PEAK.name, sentences_per_s=900)]
    made.rows += [row(MANY.of(SERVER), load.name, sentences_per_s=800 if load is PEAK else 950) for load in CELLS]
    made.rows += [row(FEW.of(SERVER), load.name, sentences_per_s=1000) for load in CELLS]
    made.held = [held(FOUR, ON_4.name, longest_us=4.0), held(FOUR, ON_128.name, longest_us=2.0)]
    for cores in CORES:
        made.held += [
            held(on_cores(cores), ON_4.name, longest_us=10.0),
            held(on_cores(cores), ON_128.name, longest_us=40 / cores),
            held(on_cores(cores), BY_PYTHON.name, longest_us=20.0, gil_us=101.0),
        ]
    made.memory = [Memory(split.of(SERVER), AT_START, mb) for split, mb in ((TOGETHER, 100.0), (MANY, 135.0))]
    return made


def held(split: Split, load: str, *, longest_us: float, gil_us: float = 1.0) -> Held:
    """What was counted of a server in int8; by the clock, half as much again as by processor time."""
    return Held(split.of(ours(INT8)), load, 1000.0, 1.5 * longest_us, longest_us, 8.0, 0.5, gil_us)


def figures(found: ComparisonResults) -> dict[str, tuple[float | None, str]]:
    """Every bar's figure and verdict by its text, of those that were measured."""
    verdicts = judge(found)["the transport in shards"]
    return {each.bar.text: (each.figure, each.word) for each in verdicts if each.figure is not None}


def test_what_was_measured_is_judged_and_nothing_else(found: ComparisonResults) -> None:
    """Mutexes by the clock, a process by processor time, ratios by the worst, memory by the shard."""
    on_4, on_128, above = f"{ON_4.name}, {INT8}", f"{ON_128.name}, {INT8}", pytest.approx(1000 / 900)
    assert figures(found) == {
        f"{on_4}, 4 shards: the longest-held mutex, a sentence": (6.0, "missed"),
        f"{on_128}, 4 shards: the longest-held mutex, a sentence": (3.0, "met"),
        f"{on_4}, 4 shards: all of the transport's mutexes, a sentence": (8.0, "met"),
        f"{on_128}, 4 shards: all of the transport's mutexes, a sentence": (8.0, "met"),
        f"{on_4}, 64 cores: sentences/s of one process, computed": (pytest.approx(100_000), "missed"),
        f"{on_128}, 64 cores: sentences/s of one process, computed": (pytest.approx(1_000_000), "met, and the aim"),
        f"{PEAK.name}, {INT8}, gRPC: sentences/s over those of 1 shard": (above, "met, and the aim"),
        f"any cell, {INT8}: sentences/s of 8 workers, 8 shards over 2 workers, 2 shards": (0.8, "missed"),
        f"{INT8}, 8 workers, at its start: memory of a shard": (5.0, "missed"),
    }  # fmt: skip


def test_the_page_computes_how_far_a_process_goes(found: ComparisonResults) -> None:
    """4 cores are full before any lock is; on 64 it is Python's lock that is full, with no room for other calls."""
    lines = wall_page.markdown(found).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    assert {len(cells) for cells in rows} == {len(wall_page.HEADINGS)}
    assert rows[2:] == [
        ["4", "10.00", "1.00", "80,000", "50,000", "11.5 %", "10.00", "80,000"],
        ["16", "2.50", "1.00", "320,000", "182,857", "2.1 %", "10.00", "100,000"],
        ["64", "0.62", "1.00", "1,000,000", "566,372", "0.0 %", "10.00", "100,000"],
    ]
    assert lines[-1].startswith("Computed, not seen.")


def test_a_page_of_half_a_run_says_that_it_is_not_measured(found: ComparisonResults) -> None:
    """A table without the row of 64 cores would say nothing of where a process ends."""
    found.held = found.held[:-1]
    assert "aren't measured yet" in wall_page.markdown(found)


def test_tables_have_as_many_cells_as_headings(found: ComparisonResults) -> None:
    for table in report.tables(found, brief=True):
        assert {len(cells) for cells in table.rows if cells} <= {len(table.headings)}
    assert f"| {ON_4.name} | bothends native int8, 4 shards | 1,000 | 6.00 | 4.00 | 8.00 |" in report.markdown(found)
