"""The figures that the service carries of the benchmark: those of record, and none that weren't measured."""

from dataclasses import replace
from pathlib import Path

import speeds
from bothends.engines.native_parts import Speeds
from comparison.results import ComparisonResults
from results import Results

RECORD = Path(__file__).with_name("performance.json")


def test_what_the_service_says_is_what_was_measured() -> None:
    """`make bench ARGS="--bars --docs"` writes both, and `--from benchmarks/performance.json` without measuring."""
    assert Speeds.of_record() == speeds.speeds(Results.open(RECORD), ComparisonResults.open(RECORD))


def test_a_run_without_the_native_parts_has_no_such_figures() -> None:
    """What the file says then stays."""
    results, comparison = Results.open(RECORD), ComparisonResults.open(RECORD)
    assert speeds.speeds(replace(results, ceilings=[]), comparison) is None
    assert speeds.speeds(results, replace(comparison, rows=[])) is None
