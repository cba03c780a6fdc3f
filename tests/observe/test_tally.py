"""Values counted by the batch: each in the bucket where Prometheus' own histogram counts it."""

import math

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client import Histogram as OneByOne

from bothends.observe.tally import Histogram

BOUNDS = (0.5, 1.0, 2.0)
VALUES = [bound + off for bound in (0.0, *BOUNDS) for off in (-1e-9, 0.0, 1e-9)] + [math.inf, -3.0]


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    found = [sample for metric in registry.collect() for sample in metric.samples]
    return {
        (sample.name, sample.labels.get("le", "")): sample.value for sample in found if "created" not in sample.name
    }


@pytest.mark.parametrize("at_once", [False, True])
def test_a_value_on_a_bound_is_below_it(at_once: bool) -> None:
    """Bounds are inclusive, whether values come one by one or many at a time."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = Histogram("a", "Values.", BOUNDS, ours).of()
    one_by_one = OneByOne("a", "Values.", registry=theirs, buckets=BOUNDS)
    for value in VALUES:
        one_by_one.observe(value)
    if at_once:
        tally.observe_all(VALUES)
    else:
        for value in VALUES:
            tally.observe(value)
    assert samples(ours) == samples(theirs)
