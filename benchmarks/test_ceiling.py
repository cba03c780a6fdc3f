"""Engines measured alone, in this process."""

import pytest

import engines
from ceiling import CORES, Engines


@pytest.mark.slow
def test_each_engine_that_is_built_is_measured_by_itself() -> None:
    """Engines get the same sentences and as many turns each, with every schedule on one thread and on all cores."""
    texts = ["A man sings.", "Two women ride their horses along the beach.", "Snow.", "The boats came back early."]
    alone = Engines(texts, sample=4, names=engines.built())
    alone.measure_slice(turns=2)
    measured = alone.ceilings()
    assert tuple(ceiling.engine for ceiling in measured) == engines.built()
    for ceiling in measured:
        assert ceiling.turns == 2
        assert all(schedule.sentences_per_s > 0 for schedule in ceiling.schedules)
        assert {schedule.threads for schedule in ceiling.schedules} == {1, CORES}
