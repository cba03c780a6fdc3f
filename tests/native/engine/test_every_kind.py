"""Encoders of every cell, pooling, depth, width, head and precision: PyTorch, onnxruntime and the engine agree."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from bothends.engines.bounds import tolerance
from bothends_export.graph.build import build

from .encoders import FUSED, LEVELS, PRECISIONS, Pair, Rows, Sentences, flat, pair_of, ragged
from .kinds import random_config

NUMBERS = [pytest.param(number, marks=[pytest.mark.slow] * (number >= 36)) for number in range(220)]
"""Numbers of random encoders; those of a plain run have each pooling with each cell three times."""
INEXACT = {"bf16": {"avx512", "neon_bf16"}}
"""Levels whose instructions of a precision may round otherwise than the others' do."""


def drawn(number: int) -> tuple[Pair, Sentences]:
    """Encoder and sentences of a number."""
    sentences = [sentence % 100 for sentence in ragged(16, longest=25, seed=number)]
    return pair_of(random_config(number), half=number % 3 == 0, seed=number), sentences


def of_onnxruntime(made: Pair, sentences: Sentences, folder: Path) -> Rows:
    """Embeddings by the exported graph, of one padded batch."""
    onnx.save(build(made.named, made.config), folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    token_ids = np.zeros((len(sentences), max(map(len, sentences))), dtype=np.int64)
    for row, sentence in zip(token_ids, sentences, strict=True):
        row[: len(sentence)] = sentence
    lengths = np.array([*map(len, sentences)], dtype=np.int32)
    rows: Rows = session.run(["embedding"], {"token_ids": token_ids, "lengths": lengths})[0]
    return rows


@pytest.mark.parametrize("number", NUMBERS)
def test_three_libraries_agree(number: int, tmp_path: Path) -> None:
    """Each precision is within its bound of PyTorch, at every level, and float32 is near onnxruntime."""
    made, sentences = drawn(number)
    config, expected = made.config, made.expected(sentences)
    scale = max(1.0, float(np.abs(expected).max()))  # a head's numbers have no bound
    exact = made.native().run(*flat(sentences))
    assert exact.shape == (len(sentences), config.dimension)
    assert np.abs(exact - of_onnxruntime(made, sentences, tmp_path)).max() <= 2e-6 * scale, config
    for precision in PRECISIONS:
        bound = tolerance(config, precision) or 2e-6
        for level in LEVELS:
            rows = made.native(level=level, precision=precision).run(*flat(sentences))
            assert np.abs(rows - expected).max() <= bound * scale, (precision, level, config)


@pytest.mark.parametrize("number", NUMBERS)
def test_bits_depend_on_the_sentence_alone(number: int) -> None:
    """The same bits alone and together, in any order, slots and threads, of any table, and at every level."""
    made, sentences = drawn(number)
    shuffled = np.random.default_rng(number).permutation(len(sentences))
    for precision in PRECISIONS:
        of_levels = set()
        for level in LEVELS:
            encoder = made.native(level=level, precision=precision)
            together = encoder.run(*flat(sentences))
            alone = np.concatenate([encoder.run(*flat([sentence])) for sentence in sentences])
            assert alone.tobytes() == together.tobytes(), (precision, level)
            other = made.native(level=level, precision=precision, slots=3, table_rows=9)
            mixed = other.run(*flat([sentences[index] for index in shuffled]), threads=3)
            assert mixed.tobytes() == together[shuffled].tobytes(), (precision, level)
            if level in FUSED and level not in INEXACT.get(precision, ()):
                of_levels.add(together.tobytes())
        assert len(of_levels) <= 1, precision
