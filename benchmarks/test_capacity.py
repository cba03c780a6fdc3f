"""The capacity model's arithmetic, on figures that can be checked by hand, and its page."""

from pathlib import Path

import pytest

from capacity import Assumptions, markdown, need
from comparison.results import ComparisonResults, named
from results import FLOAT32

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def record() -> ComparisonResults:
    return ComparisonResults.open(HERE / "performance.json")


def test_a_day_needs_its_peak_at_the_share_that_may_be_used(record: ComparisonResults) -> None:
    """10⁹ a day are 11,574 a second in the mean; the rate of a core is half of what two cores did."""
    row = named(record.rows, "bothends native float32, native transport", "1 sentence × 128")
    assert row is not None
    found = need(10**9, "one by one", FLOAT32, record, Assumptions(peak=2.0, used=0.5, vcpus=8, price=0.1))
    assert found.peak_per_s == pytest.approx(23_148.15, abs=0.01)
    assert found.cores == -(-(2 * 11_574.0741) // (0.5 * row.sentences_per_s / 2))
    assert found.machines == -(-found.cores // 8)
    assert found.dollars_a_day == pytest.approx(found.cores * 2.4)
    assert found.memory_gb == pytest.approx(found.cores * row.rss_mb / 1000)


def test_a_small_day_still_has_a_second_replica(record: ComparisonResults) -> None:
    found = need(10**6, "one by one", FLOAT32, record, Assumptions())
    assert (found.cores, found.machines) == (2, 1)


def test_what_was_not_measured_is_no_zero(record: ComparisonResults) -> None:
    with pytest.raises(KeyError, match="not measured"):
        need(10**9, "one by one", "native float64", record, Assumptions())


def test_the_page_says_what_the_record_says(record: ComparisonResults) -> None:
    """A change of the record is followed by `python benchmarks/capacity.py --docs`."""
    assert markdown(record, Assumptions()) in (HERE.parent / "docs" / "scaling.md").read_text(encoding="utf-8")
