"""The loss of bf16 and int8 against float32, and that each processor loses the same."""

import numpy as np
import pytest

from .encoders import FUSED, LEVELS, PRECISIONS, Pair, Rows, engine, flat, pair, ragged

MIN_COSINE = {"float32": 0.9999999, "bf16": 0.99999, "int8": 0.9995}
MAX_DIFFERENCE = {"float32": 2e-6, "bf16": 2e-3, "int8": 1.5e-2}


def cosines(one: Rows, other: Rows) -> Rows:
    """Return the cosine of each row to the same row of the other, in float64."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    found: Rows = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    return found


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    ("layers", "hidden"),
    [(1, 20), *(pytest.param(*shape, marks=pytest.mark.slow) for shape in ((1, 256), (2, 100), (3, 64)))],
)
def test_near_torch(level: str, precision: str, layers: int, hidden: int) -> None:
    made, sentences = pair(layers=layers, hidden=hidden), ragged(40)
    encoder = made.native(level=level, precision=precision)
    rows, expected = encoder.run(*flat(sentences)), made.expected(sentences)
    assert encoder.precision == precision
    assert cosines(rows, expected).min() >= MIN_COSINE[precision]
    assert np.abs(rows - expected).max() <= MAX_DIFFERENCE[precision]


def _extreme() -> Pair:
    """Weights whose states sit at ±1 and whose integers sit at ±127: what overflows or saturates does so here."""
    made = pair(hidden=512, seed=3)
    for array in made.layers[0].values():
        array[...] = np.where(array > 0, 4.0, -4.0)
    made.layers[0]["R"][0] = 4.0
    return made


@pytest.mark.parametrize("made", [pair(hidden=100, layers=2), _extreme()], ids=["random", "extreme"])
@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_levels_agree(made: Pair, precision: str) -> None:
    """Levels agree to the bit, where the same sums are made of instructions that every such processor has.

    So is int8 with VNNI or SDOT, whose sums are integers. Instructions for bf16, where a processor has them, may round
    differently.
    """
    sentences = ragged(20)
    rows = {level: made.native(level=level, precision=precision).run(*flat(sentences)) for level in FUSED}
    assert all(np.isfinite(found).all() for found in rows.values())
    exact = [level for level in FUSED if precision == "int8" or level not in ("avx512", "neon_bf16")]
    assert len({rows[level].tobytes() for level in exact}) <= 1
    assert all(cosines(rows[level], rows[FUSED[0]]).min() > 0.999 for level in FUSED)


def test_bf16_rounds_weights_to_the_nearest() -> None:
    """A step of bfloat16 down at each weight would add up: rows are those of weights that were rounded before."""
    made, rounded = pair(hidden=64), pair(hidden=64)
    for layer in rounded.layers:
        bits = layer["R"].view(np.uint32)
        bits += 0x7FFF + (bits >> 16 & 1)  # to the nearest, and of two as near to the even one
        bits &= 0xFFFF0000
    rows, expected = (each.native(precision="bf16").run(*flat(ragged(10))) for each in (made, rounded))
    assert rows.tobytes() == expected.tobytes()


def test_less_precise_is_smaller() -> None:
    """Weights and the table's rows take half of float32's memory in bf16, and less in int8."""
    made = pair(hidden=128)
    sentences = flat(ragged(60))
    sizes = []
    for precision in PRECISIONS:
        encoder = made.native(precision=precision)
        encoder.run(*sentences)
        sizes.append(encoder.bytes)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] < 0.7 * sizes[0]


def test_a_row_of_zeros_and_of_denormals() -> None:
    """int8 has a step for each row of weights; one of zeros has none, and one of denormals a coarse one."""
    made = pair(hidden=16)
    made.layers[0]["R"][:, :8] = 0
    made.layers[0]["R"][:, 8:16] = 3e-45
    rows = made.native(precision="int8").run(*flat(ragged(10)))
    assert np.isfinite(rows).all()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_peak(level: str, precision: str) -> None:
    """The peak is a number of operations a second that a processor can do."""
    assert 1e8 < engine.peak(level=level, precision=precision) < 1e14
