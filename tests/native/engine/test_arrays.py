"""The engine computes whatever Python hands over, or raises; nothing else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from .encoders import Pair, engine, flat, pair, ragged

MADE = pair(hidden=16, embedding=8, vocabulary=20)
ENCODER = MADE.native()
GOOD_IDS, GOOD_OFFSETS = flat([sentence % 20 for sentence in ragged(4)])


@pytest.mark.parametrize(
    ("token_ids", "offsets", "message"),
    [
        (GOOD_IDS.astype(np.int64), GOOD_OFFSETS, r"token_ids is int64 \[\d+\]; expected int32 \[\*\]"),
        (GOOD_IDS.astype(np.float32), GOOD_OFFSETS, "token_ids is float32"),
        (GOOD_IDS[None], GOOD_OFFSETS, r"token_ids is int32 \[1, "),
        (np.repeat(GOOD_IDS, 2)[::2], GOOD_OFFSETS, "token_ids isn't contiguous; pass numpy.ascontiguousarray"),
        (GOOD_IDS[::-1], GOOD_OFFSETS, "token_ids isn't contiguous"),
        (GOOD_IDS, GOOD_OFFSETS.astype(np.int32), "offsets is int32"),
        (GOOD_IDS, GOOD_OFFSETS[:0], "offsets is empty"),
        (GOOD_IDS, GOOD_OFFSETS[:-1], "the last of offsets is "),
        (GOOD_IDS, GOOD_OFFSETS + 1, r"offsets\[0\] must be 0"),
        (GOOD_IDS, np.array([0, 0, len(GOOD_IDS)]), r"offsets\[1\] must be above"),
        (GOOD_IDS, np.array([0, 2**62, len(GOOD_IDS)]), r"offsets\[2\] must be above"),
        (GOOD_IDS, np.array([0, 5, 3, len(GOOD_IDS)]), r"offsets\[2\] must be above"),
        (GOOD_IDS, np.array([0, 2**63 - 1]), "the last of offsets is 9223372036854775807"),
        (GOOD_IDS, np.array([0, -(2**63)]), r"offsets\[1\] must be above"),
        (np.array([3, 20], dtype=np.int32), np.array([0, 2]), r"token_ids\[1\] is 20; the table has rows 0 to 19"),
        (np.array([-1], dtype=np.int32), np.array([0, 1]), r"token_ids\[0\] is -1"),
    ],
)
def test_wrong_requests(token_ids: Any, offsets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ENCODER.run(token_ids, offsets)


@pytest.mark.parametrize("threads", [0, -1, 257, 2**40])
def test_wrong_threads(threads: int) -> None:
    with pytest.raises(ValueError, match=r"threads is .*; expected 1 to 256"):
        ENCODER.run(GOOD_IDS, GOOD_OFFSETS, threads=threads)


def _without(key: str) -> Callable[[Pair], tuple[Any, Any]]:
    return lambda made: (made.table, [{name: array for name, array in made.layers[0].items() if name != key}])


def _changed(key: str, change: Callable[[Any], Any]) -> Callable[[Pair], tuple[Any, Any]]:
    return lambda made: (made.table, [made.layers[0] | {key: change(made.layers[0][key].copy())}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda made: (made.table, []), "number of layers is 0; expected 1 to 8"),
        (lambda made: (made.table.astype(np.float64), made.layers), "table is float64"),
        (lambda made: (made.table[0], made.layers), r"table is float32 \[8\]"),
        (lambda made: (made.table[:0], made.layers), "table's vocabulary is 0"),
        (lambda made: (made.table[:, :0], made.layers), "table's size is 0"),
        (lambda made: (made.table.T, made.layers), "table isn't contiguous"),
        (lambda made: (made.table[:, :7].copy(), made.layers), r'layers\[0\]\["W"\] is float32 \[2, 64, 8\]; exp.*7\]'),
        (lambda made: (made.table, [*made.layers, *made.layers]), r'layers\[1\]\["W"\] is .*expected .*\[2, 64, 32\]'),
        (_without("R"), r'layers\[0\]\["R"\] is missing'),
        (_without("W"), r'layers\[0\]\["W"\] is missing'),
        (_changed("W", lambda array: None), r'layers\[0\]\["W"\] is no array'),
        (_changed("W", lambda array: array.astype(np.float64)), r'layers\[0\]\["W"\] is float64'),
        (_changed("R", lambda array: array[:, :, :-1].copy()), r'layers\[0\]\["R"\] is float32 \[2, 64, 15\]'),
        (_changed("R", lambda array: array[:1].copy()), r'layers\[0\]\["W"\] is float32 \[2, 64, 8\]; .*\[1, 64, 8\]'),
        (_changed("R", lambda array: np.concatenate([array, array])), r'layers\[0\]\["R"\] is float32 \[4, 64, 16\]'),
        (_changed("R", lambda array: array[0, 0]), r'layers\[0\]\["R"\] is float32 \[16\]'),
        (_changed("B", lambda array: array[:, :64].copy()), r'layers\[0\]\["B"\] is float32 \[2, 64\]; expected .*128'),
        (_changed("R", lambda array: array.transpose(0, 2, 1).copy().transpose(0, 2, 1)), "isn't contiguous"),
    ],
)
def test_wrong_weights(change: Callable[[Pair], tuple[Any, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine.Encoder(*change(MADE))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slots": 0}, "slots is 0; expected 1 to 1024"),
        ({"slots": 5000}, "slots is 5000"),
        ({"table_rows": -1}, "table_rows is -1"),
        ({"precision": "float8"}, 'precision: unknown "float8"; choose float32, bf16 or int8'),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MADE.native(**options)


DTYPES = st.one_of(
    st.just(np.dtype(np.int32)),
    st.just(np.dtype(np.int64)),
    arrays.scalar_dtypes(),
    arrays.unicode_string_dtypes(),
)
ANYTHING = st.one_of(
    arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)),
    st.lists(st.integers()),
    st.none(),
    st.binary(max_size=64).map(bytearray),
    st.text(max_size=3),
)


@settings(max_examples=300)
@given(token_ids=ANYTHING, offsets=ANYTHING)
def test_anything_for_a_request(token_ids: Any, offsets: Any) -> None:
    """A request is right by chance, or raises a Python exception."""
    try:
        rows = ENCODER.run(token_ids, offsets)
    except (ValueError, TypeError):
        return
    assert rows.shape == (len(offsets) - 1, 32)


@settings(max_examples=200)
@given(
    ids=arrays.arrays(np.int32, st.integers(0, 12), elements=st.integers(-2, 21)),
    offsets=arrays.arrays(
        np.int64, st.integers(0, 6), elements=st.one_of(st.integers(-2, 13), st.integers(-(2**63), 2**63 - 1))
    ),
)
def test_almost_right_requests(ids: Any, offsets: Any) -> None:
    """Arrays of the right dtypes give rows exactly where ids and offsets are right."""
    is_right = (
        len(offsets) > 0
        and offsets[0] == 0
        and offsets[-1] == len(ids)
        and all(one < other for one, other in zip(offsets.tolist(), offsets.tolist()[1:], strict=False))
        and all(0 <= token < 20 for token in ids)
    )
    if is_right:
        assert np.isfinite(ENCODER.run(ids, offsets)).all()
    else:
        with pytest.raises(ValueError, match=r"offsets|token_ids"):
            ENCODER.run(ids, offsets)


@settings(max_examples=200)
@given(table=ANYTHING, key=st.sampled_from("WRB"), weights=ANYTHING)
def test_anything_for_weights(table: Any, key: str, weights: Any) -> None:
    """A wrong array beside the right table is refused, and a wrong table beside the right arrays."""
    for given_table, layers in ((MADE.table, [MADE.layers[0] | {key: weights}]), (table, MADE.layers)):
        with pytest.raises((ValueError, TypeError)):
            engine.Encoder(given_table, layers)


def test_read_only_arrays() -> None:
    """Arrays may be read-only, as numpy reads them from a mapped file: all that is given is only read."""
    arrays_of = {key: array.copy() for key, array in MADE.layers[0].items()}
    table, ids, offsets = MADE.table.copy(), GOOD_IDS.copy(), GOOD_OFFSETS.copy()
    for array in (*arrays_of.values(), table, ids, offsets):
        array.flags.writeable = False
    assert (engine.Encoder(table, [arrays_of]).run(ids, offsets) == ENCODER.run(GOOD_IDS, GOOD_OFFSETS)).all()


def test_misaligned_arrays() -> None:
    raw = bytearray(GOOD_IDS.nbytes + 1)
    shifted = np.frombuffer(raw, dtype=np.int32, offset=1) if GOOD_IDS.nbytes % 4 == 0 else None
    with pytest.raises((ValueError, TypeError, BufferError)):
        ENCODER.run(shifted, GOOD_OFFSETS)


def test_rows_outlive_the_encoder() -> None:
    encoder = MADE.native()
    rows = encoder.run(GOOD_IDS, GOOD_OFFSETS)
    before = rows.copy()
    del encoder
    assert (rows == before).all()
    rows += 1  # and they are the caller's own
