"""The comparison's bars beside figures: which are met, which are missed and by how much, and which can't be judged."""

import pytest

from loads import PEAK, unary
from results import FLOAT32, IDLE, INT8, ONNXRUNTIME, ours
from sample_results import row

from . import report
from .bars import judge
from .forms import BASE64, FLOAT, SHARE
from .loads import CELLS, EMPTY, GREEDY, LONG_LISTS, POLITE
from .results import Alone, ComparisonResults, Empty, Neighbours
from .test_results import storm


@pytest.fixture
def found() -> ComparisonResults:
    """A run on two transports in which some bars are met, and others missed or not measured."""
    machine = dict.fromkeys(("date", "processor", "memory", "kernel", "cores", "python"), "x")
    about = {"source": "somewhere", "count": 2000, "mean_tokens": 15.0}
    made = ComparisonResults(machine, {"seconds": 1.0, "warmup_s": 0.1, "rounds": 1}, {"short": about, "longer": about})
    made.transports = ["native", "grpcio"]
    rates = {ours(FLOAT32, "native"): 3000, ours(FLOAT32, "grpcio"): 1500, "mosec 4": 1000, "mosec 8": 800}
    rates |= {ours(INT8, "native"): 6000, ours(ONNXRUNTIME, "native"): 1100}
    rates |= {f"{ours(FLOAT32, 'native')}, {form.name}": rate for form, rate in ((BASE64, 2100), (FLOAT, 1000))}
    rates |= {f"{ours(INT8, 'native')}, {form.name}": rate for form, rate in ((BASE64, 4000), (SHARE, 5700))}
    made.rows = [row(server, load.name, sentences_per_s=rate) for load in CELLS for server, rate in rates.items()]
    made.rows.append(row(ours(INT8, "native"), LONG_LISTS.name, sentences_per_s=7000))
    made.rows.append(row(IDLE, unary(32).name, sentences_per_s=38_000))
    made.alone = [Alone(INT8, "batches of 256 on 2 threads", 8000, 0.05)]
    made.empty = [Empty(ours(FLOAT32, "native"), EMPTY[0].name, 50_000, 6.0)]
    made.storms = [storm(offered=100, answered=50, told_when=50)]
    made.neighbours = [Neighbours(ours(FLOAT32, "native"), f"{POLITE.name}, beside {GREEDY.name}", 1.0, 1.0, 0.5)]
    return made


def verdicts(found: ComparisonResults) -> dict[str, str]:
    """Every bar's verdict by its text."""
    return {verdict.bar.text: verdict.text for each in judge(found).values() for verdict in each}


def test_mosec_at_its_best_is_the_measure(found: ComparisonResults) -> None:
    """The setting that answers the most counts, whichever it is."""
    judged = verdicts(found)
    assert judged[f"{unary(1).name}: sentences/s over mosec's best"] == "met, and the aim"
    assert judged[f"{unary(8).name}, {INT8}: sentences/s over mosec's best"] == "met"
    assert judged[f"{PEAK.name}, {INT8}: sentences/s over mosec's best"] == "met"
    assert judged[f"{unary(32).name}, {INT8}: sentences/s over mosec's best"] == "met"
    assert judged[f"{PEAK.name}, both on onnxruntime: sentences/s over mosec's best"] == "met"


def test_one_who_is_never_answered_is_missed_without_a_measure(found: ComparisonResults) -> None:
    assert verdicts(found)[f"{POLITE.name}, beside {GREEDY.name}: p99 over alone"] == "missed"


def test_an_empty_run_judges_nothing() -> None:
    assert set(verdicts(ComparisonResults({}, {}, {})).values()) == {"not measured"}


def test_markdown_tables_have_as_many_cells_as_headings(found: ComparisonResults) -> None:
    for table in report.tables(found, brief=True):
        assert {len(cells) for cells in table.rows if cells} <= {len(table.headings)}
    written = report.markdown(found)
    assert "2,000 of 15.0 tokens" in written
    assert f"| {BASE64.name}: {INT8} | 4,000 | 4,000 | 4,000 | 4,000 |" in written
