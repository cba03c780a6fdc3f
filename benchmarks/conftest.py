"""Fixtures of the benchmarks' tests."""

import pytest

import sample_results
from results import Results


@pytest.fixture
def results() -> Results:
    """Figures that meet every aim, with the native engine."""
    return sample_results.results()
