"""The engine's rows are PyTorch's, whatever the shape, at every level."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from .encoders import LEVELS, Pair, Rows, Sentences, engine, flat, pair, ragged, sentences_of

RAGGED = tuple(map(len, ragged(20)))


@lru_cache(maxsize=1)  # levels vary fastest: PyTorch computes each shape once
def of_torch(lengths: Sequence[int], **shape: Any) -> tuple[Pair, Sentences, Rows]:
    """Return an encoder, random sentences of these lengths, and PyTorch's embeddings of them."""
    made, sentences = pair(**shape), sentences_of(lengths)
    return made, sentences, made.expected(sentences)


@pytest.mark.brief
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
def test_every_length(level: str, layers: int, half: bool) -> None:
    """Sentences of one to 64 tokens agree, alone and all in one run."""
    made, sentences, expected = of_torch(tuple(range(1, 65)), layers=layers, half=half)
    encoder = made.native(level=level)
    assert np.abs(encoder.run(*flat(sentences)) - expected).max() <= 2e-6
    for sentence, row in zip(sentences, expected, strict=True):
        assert np.abs(encoder.run(*flat([sentence]))[0] - row).max() <= 2e-6, len(sentence)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("hidden", [1, 15, 16, 17, 100, 256, pytest.param(1024, marks=pytest.mark.slow)])
def test_hidden_sizes(level: str, layers: int, hidden: int) -> None:
    """Units are padded inside; what is padded changes nothing and is never seen."""
    made, sentences, expected = of_torch(RAGGED, hidden=hidden, layers=layers, embedding=17)
    encoder = made.native(level=level)
    rows = encoder.run(*flat(sentences))
    assert (encoder.hidden, encoder.dimension, encoder.layers) == (hidden, 2 * hidden, layers)
    assert rows.shape == (20, 2 * hidden)
    assert np.abs(rows - expected).max() <= 2e-6


@pytest.mark.parametrize("embedding", [1, 3, 16, 300])
def test_embedding_sizes(embedding: int) -> None:
    made = pair(embedding=embedding)
    sentences = ragged(30)
    assert np.abs(made.native().run(*flat(sentences)) - made.expected(sentences)).max() <= 2e-6


@pytest.mark.parametrize("vocabulary", [1, 2, 1000])
def test_the_vocabularys_ends(vocabulary: int) -> None:
    """The first and the last row of the table, each alone and between the other."""
    made = pair(vocabulary=vocabulary)
    first, last = 0, vocabulary - 1
    sentences = [np.array(ids, dtype=np.int32) for ids in ([first], [last], [first, last, first], [last] * 9)]
    assert np.abs(made.native().run(*flat(sentences)) - made.expected(sentences)).max() <= 2e-6


@pytest.mark.parametrize("level", LEVELS)
def test_large_weights(level: str) -> None:
    """Gates far beyond where sigmoid and tanh end: still within 2e-6, and never NaN."""
    made = pair(hidden=16)
    for layer in made.layers:
        for array in layer.values():
            np.multiply(array, 60, out=array)
    for name, array in made.named.items():
        if name != "embedding.weight":
            np.multiply(array, 60, out=array)
    rows = made.native(level=level).run(*flat(sentences := ragged(40)))
    assert np.isfinite(rows).all()
    assert np.median(np.abs(rows - made.expected(sentences))) <= 2e-6  # such a network is chaotic: most, not all


@pytest.mark.parametrize("level", LEVELS)
def test_overflowing_weights_saturate(level: str) -> None:
    """Sums beyond float32 saturate the gates; no state becomes NaN."""
    made = pair(hidden=16)
    for array in made.layers[0].values():
        array[...] = np.where(array > 0, 3e38, -3e38)
    assert np.isfinite(made.native(level=level).run(*flat(ragged(20)))).all()


def test_no_sentences() -> None:
    rows = pair().native().run(*flat([]))
    assert (rows.shape, rows.dtype) == ((0, 64), np.float32)


def test_a_level_that_isnt_there() -> None:
    with pytest.raises(ValueError, match=r'level: this processor can.t run "avx9"; choose auto, .*portable'):
        pair().native(level="avx9")


def test_auto_is_the_best_level() -> None:
    assert pair().native().level == LEVELS[0]
    assert engine.levels()[-1] == "portable"
