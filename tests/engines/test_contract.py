"""The contract between scheduler and engine, kept by each engine."""

import numpy as np
import pytest

from bothends.engines import native
from bothends.engines.arrays import flat
from bothends.engines.contract import precision_of
from bothends.engines.native import NativeEngine
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.engines.select import LoadedEngine
from bothends.model.bundle import Bundle

ENGINES = [
    OnnxRuntimeEngine,
    pytest.param(
        NativeEngine,
        marks=pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)"),
    ),
]


@pytest.mark.parametrize(
    ("provider", "precision"),
    [("native/avx512/int8", "int8"), ("native/portable/float32", "float32"), ("CPUExecutionProvider", "float32")],
)
def test_a_precision_is_read_from_its_provider(provider: str, precision: str) -> None:
    assert precision_of(provider) == precision


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_are_those_of_the_sentences_in_their_order(
    toy_bundle: Bundle, engine: type[OnnxRuntimeEngine] | type[NativeEngine]
) -> None:
    """Rows are float32 [sentences, dimension], and each depends on its own sentence alone; no sentences give none."""
    made: LoadedEngine = engine(toy_bundle)
    sentences = [[5, 6, 7], [8], [5, 6, 7, 9, 10]]
    rows = made.run(sentences)
    assert (rows.shape, rows.dtype) == ((3, made.dimension), np.dtype(np.float32))
    assert made.dimension == toy_bundle.config.dimension
    assert rows[::-1].tobytes() == made.run(sentences[::-1]).tobytes()
    assert all(rows[index].tobytes() == made.run([ids])[0].tobytes() for index, ids in enumerate(sentences))
    assert made.run_flat(*flat(sentences)).tobytes() == rows.tobytes()
    assert made.run([]).shape == (0, made.dimension)
    assert made.device == "cpu"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sentence_without_tokens_is_an_error(
    toy_bundle: Bundle, engine: type[OnnxRuntimeEngine] | type[NativeEngine]
) -> None:
    """A row of zeros could not be told from an answer."""
    with pytest.raises(ValueError, match="token"):
        engine(toy_bundle).run([[5], []])
