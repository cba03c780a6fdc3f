"""The capacity model's arithmetic, on figures that can be checked by hand."""

from pathlib import Path

import pytest

from capacity_model import DAYS, Assumptions, need, needs
from results import FLOAT32, Results

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def record() -> Results:
    return Results.open(DOCS / "performance.json")


def test_a_day_needs_its_peak_at_the_share_that_may_be_used(record: Results) -> None:
    """10⁹ a day are 11,574 a second in the mean; the rate of a core is half of what two cores did."""
    row = record.row("bothends native float32", "1 sentence × 128")
    assert row is not None
    found = need(10**9, "one by one", FLOAT32, record, Assumptions(peak=2.0, used=0.5, vcpus=8, price=0.1))
    assert found.mean_per_s == pytest.approx(11_574.07, abs=0.01)
    assert found.cores == -(-(2 * 11_574.0741) // (0.5 * row.sentences_per_s / 2))
    assert found.machines == -(-found.cores // 8)
    assert found.dollars_a_day == pytest.approx(found.cores * 2.4)
    assert found.memory_gb == pytest.approx(found.cores * row.rss_mb / 1000)


def test_a_small_day_still_has_a_second_replica(record: Results) -> None:
    found = need(10**6, "one by one", FLOAT32, record, Assumptions())
    assert (found.cores, found.machines) == (2, 1)


def test_cores_follow_the_rates(record: Results) -> None:
    """Traffic and engine whose rate is twice as high need half of the cores."""
    found = needs(record, Assumptions())
    assert len(found) == len(DAYS) * 2 * 3
    loads = {"one by one": "1 sentence × 128", "lists of 32": "32 sentences × 4"}
    works = []
    for each in found:
        row = record.row(f"bothends {each.engine}", loads[each.traffic])
        assert row is not None
        if each.sentences == 10**11:
            works.append(each.cores * row.sentences_per_s)
    assert len(works) == 2 * 3
    assert works == pytest.approx([works[0]] * len(works), rel=0.01)  # whole cores


def test_what_was_not_measured_is_no_zero(record: Results) -> None:
    with pytest.raises(KeyError, match="not measured"):
        need(10**9, "one by one", "native float64", record, Assumptions())
