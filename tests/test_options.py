"""What a request may ask for beside its sentences, by both clients and on the wire."""

import re
from typing import Any

import numpy as np
import pytest

from bothends import Client, RequestError, SentenceError, nested

from .awaited import Awaited


def test_options_shape_what_comes_back(each_client: Client | Awaited) -> None:
    """Each option does to the rows what it says, and nothing else."""
    sentences = ["there will be dragons", "no", "a man plays the guitar"]
    rows = each_client.encode(sentences)
    unit = each_client.encode(sentences, normalize=True)
    np.testing.assert_allclose(unit, rows / np.linalg.norm(rows, axis=1, keepdims=True), rtol=1e-6)
    small = each_client.encode(sentences, dimensions=64)
    assert small.tobytes() == nested(rows, 64).tobytes()
    assert np.linalg.norm(each_client.encode(sentences, dimensions=64, normalize=True), axis=1) == pytest.approx(1)
    half = each_client.encode(sentences, encoding="float16")
    assert (half.dtype, half.tobytes()) == (np.float16, rows.astype(np.float16).tobytes())
    found = each_client.embed(sentences, encoding="int8")
    assert found.scales is not None
    assert found.rows.dtype == np.int8
    assert np.abs(found.rows * found.scales[:, None] - rows).max() <= found.scales.max() / 2 + 1e-7
    bits = each_client.encode(sentences, encoding="sign_bits")
    assert (np.unpackbits(bits, axis=1) == (rows > 0)).all()


def test_a_long_sentence_keeps_the_end_asked_for(each_client: Client | Awaited) -> None:
    """Its last 256 words alone give the same numbers; `error` refuses it, by index."""
    words = [f"{'dragon' if number % 3 else 'cat'}" for number in range(300)]
    sentence = " ".join(words)
    found = each_client.embed([sentence], truncation="end")
    assert found.truncated == [True]
    assert found.rows.tobytes() == each_client.encode([" ".join(words[-256:])]).tobytes()
    with pytest.raises(SentenceError, match="more than the 256 tokens") as raised:
        each_client.encode(["short", sentence], truncation="error")
    assert raised.value.index == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"dimensions": 100}, "100 dimensions can't be had; this model offers 64, 128, 256, 512"),
        ({"dimensions": -1}, "-1 dimensions"),
        ({"encoding": "float8"}, "encoding 'float8': it is float32, float16, int8, sign_bits"),
        ({"truncation": "middle"}, "truncation 'middle': it is start, error, end"),
    ],
)
def test_an_option_that_cannot_be_had_is_a_request_error(
    each_client: Client | Awaited, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestError, match=re.escape(told)):
        each_client.encode(["word"], **asked)
