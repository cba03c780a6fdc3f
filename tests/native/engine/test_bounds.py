"""bf16 and int8 keep what is promised of them, by cell, depth and width."""

from typing import Any

import numpy as np
import pytest

from bothends.engines.bounds import promised_cosine, tolerance
from bothends.model.architecture import EncoderConfig, Head

from .encoders import flat, pair, ragged
from .test_precisions import cosines

CELLS: dict[str, dict[str, Any]] = {
    "lstm": {},
    "gru": {"cell": "gru"},
    "gru, resetting first": {"cell": "gru", "reset_after": False},
}
SIZES = [(32, 1), (320, 1), (128, 2), (32, 5), *(pytest.param(*size, marks=pytest.mark.slow) for size in [(320, 3)])]
SIZES += [pytest.param(*size, marks=pytest.mark.slow) for size in [(512, 1), (512, 2), (512, 3), (128, 8), (320, 8)]]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("hidden", "layers"), SIZES)
@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_cosines_and_differences(cell: str, hidden: int, layers: int, precision: Any) -> None:
    """Random encoders of random tokens, whose differences are half of what golden sentences may have."""
    made, sentences = pair(hidden=hidden, layers=layers, embedding=100, **CELLS[cell]), flat(ragged(60, seed=5))
    exact, found = made.native().run(*sentences), made.native(precision=precision).run(*sentences)
    assert cosines(exact, found).min() >= promised_cosine(made.config, precision)
    assert np.abs(exact - found).max() <= tolerance(made.config, precision) / 2


def config(**values: Any) -> EncoderConfig:
    sizes = {"vocabulary_size": 9, "embedding_size": 3, "hidden_size": 320, "layers": 1}
    return EncoderConfig.model_validate(sizes | values)


def test_what_is_promised_falls_with_depth_and_width() -> None:
    """One layer has what the packaged model is promised, whatever its width; float32 is exact."""
    assert [promised_cosine(config(layers=layers), "int8") for layers in (1, 2, 3, 8)] == [
        pytest.approx(cosine) for cosine in (0.9995, 0.99936, 0.99744, 0.99744)
    ]
    assert promised_cosine(config(hidden_size=4096), "int8") == pytest.approx(0.9995)
    assert promised_cosine(config(hidden_size=4096, layers=5), "bf16") == pytest.approx(0.9999)
    assert promised_cosine(config(layers=5), "float32") == 1
    assert tolerance(config(layers=5), "float32") == 0
    assert tolerance(config(layers=5), "int8") == 0.03


def test_a_layer_norm_is_given_more() -> None:
    assert tolerance(config(head=Head(size=5, then="layer_norm")), "int8") == pytest.approx(0.126, abs=1e-3)
    assert tolerance(config(head=Head(size=5, then="tanh")), "int8") == 0.03
