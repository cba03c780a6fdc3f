"""A sentence's row is the same, bit for bit, however and with whatever it is run."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .encoders import FUSED, LEVELS, PRECISIONS, Pair, Rows, Sentences, flat, pair, ragged, sentences_of

SENTENCES = ragged(90, longest=30)


def same(one: Rows, other: Rows) -> bool:
    """Return whether every bit is the same."""
    return one.tobytes() == other.tobytes()


@pytest.fixture(scope="module", params=[1, 3], ids=lambda layers: f"{layers}-layer")
def made(request: pytest.FixtureRequest) -> Pair:
    """Make one encoder for each number of layers."""
    return pair(hidden=40, layers=request.param)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_alone_and_together(made: Pair, level: str, precision: str) -> None:
    encoder = made.native(level=level, precision=precision)
    together = encoder.run(*flat(SENTENCES))
    alone = np.concatenate([encoder.run(*flat([sentence])) for sentence in SENTENCES])
    assert same(together, alone)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "level", [pytest.param(level, marks=[pytest.mark.slow] * (level == "portable")) for level in LEVELS]
)
def test_slots_threads_budgets_and_orders(made: Pair, level: str, precision: str) -> None:
    """Rows don't depend on slots, threads or order, or on a table of all rows, of few or of none, cold or warm."""
    expected = made.native(level=level, precision=precision).run(*flat(SENTENCES))
    shuffled = np.random.default_rng(1).permutation(len(SENTENCES))
    for slots, threads, table_rows in [(1, 1, None), (2, 2, 7), (5, 3, 0), (7, 1, 100), (13, 8, 1), (64, 2, 300)]:
        encoder = made.native(level=level, precision=precision, slots=slots, table_rows=table_rows)
        for _ in range(2):  # the second time, rows are there
            assert same(encoder.run(*flat(SENTENCES), threads=threads), expected), (slots, threads, table_rows)
        rows = encoder.run(*flat([SENTENCES[index] for index in shuffled]), threads=threads)
        assert same(rows, expected[shuffled]), (slots, threads, table_rows)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_inputs_added_ahead(level: str, precision: str) -> None:
    """Few sentences have the inputs of many steps added at once, many have each step's with its states: by the same
    sums in the same order. One alone has several blocks of its units computed side by side, and the rest one by one.
    """
    made = pair(hidden=72, layers=2)
    encoder = made.native(level=level, precision=precision, slots=64)
    sentences = sentences_of([1, 49, 110, 48, 97, *range(2, 25)])
    together = encoder.run(*flat(sentences))
    for count in (1, 2, 3, 5, 6, 11, 12):
        for few in (range(count), range(2, 2 + count)):
            assert same(encoder.run(*flat([sentences[index] for index in few])), together[list(few)]), few


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("hidden", [16, 40, 72])
def test_levels_agree(layers: int, hidden: int) -> None:
    """Levels of 4, of 8 and of 16 lanes agree in float32: the same formula in the same order."""
    made, sentences = pair(hidden=hidden, layers=layers), ragged(30)
    first, *others = (made.native(level=level).run(*flat(sentences)) for level in FUSED)
    assert all(same(first, rows) for rows in others)


@pytest.mark.parametrize("layers", [1, 3])
def test_portable_is_near(layers: int) -> None:
    """The last bits differ without a fused multiplication and addition, and no more than they."""
    made, sentences = pair(hidden=100, layers=layers), ragged(50)
    best, portable = (made.native(level=level).run(*flat(sentences)) for level in (LEVELS[0], "portable"))
    assert np.abs(best - portable).max() <= 1e-6


def test_more_sentences_than_a_window_holds() -> None:
    """Layers above the first run in windows of some thousand tokens; a longer sentence makes one of its own."""
    made = pair(hidden=16, layers=2)
    encoder = made.native()
    sentences: Sentences = [*ragged(300), *sentences_of([6000, 1, 4096, 3])]
    together = encoder.run(*flat(sentences), threads=2)
    alone = np.concatenate([encoder.run(*flat([sentence])) for sentence in sentences])
    assert same(together, alone)


@settings(max_examples=40)
@given(lengths=st.lists(st.integers(1, 50), max_size=60), threads=st.integers(1, 4), data=st.data())
def test_ragged_batches(lengths: list[int], threads: int, data: st.DataObject) -> None:
    """Rows of batches that hypothesis thinks of are those of their sentences alone."""
    precision = data.draw(st.sampled_from(PRECISIONS))
    encoder = ENCODERS.setdefault(precision, SMALL.native(precision=precision, slots=8, table_rows=50))
    sentences = sentences_of(lengths, seed=len(lengths))
    rows = encoder.run(*flat(sentences), threads=threads)
    for sentence, row in zip(sentences, rows, strict=True):
        assert same(encoder.run(*flat([sentence]))[0], row)


SMALL = pair(hidden=16, layers=2)
ENCODERS: dict[str, Any] = {}
