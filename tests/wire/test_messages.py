"""The short way and the contract's way are the same bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bothends.embeddings import Embeddings
from bothends.v1 import embedding_pb2
from bothends.wire import messages

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def by_the_contract(found: Embeddings) -> bytes:
    response = embedding_pb2.EmbedResponse(model_version=found.model_version)
    for row, count, truncated in zip(found.rows, found.token_counts, found.truncated, strict=True):
        response.embeddings.add(values=row.tolist(), token_count=count, truncated=truncated)
    return response.SerializeToString()


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 40)), elements=FLOATS), st.data())
def test_encoding_is_the_contracts(rows: np.ndarray, data: st.DataObject) -> None:
    """Bit for bit what the generated code writes, so any client reads it; and decoding gives the numbers back."""
    counts = [data.draw(st.integers(0, 300)) for _ in rows]
    truncated = [data.draw(st.booleans()) for _ in rows]
    found = Embeddings(rows, counts, truncated, "2026.11")
    content = messages.encode(found)
    assert content == by_the_contract(found)
    back = messages.decode([messages.Response.FromString(content)])
    assert back.rows.tobytes() == rows.tobytes()
    assert (back.token_counts, back.truncated, back.model_version) == (counts, truncated, "2026.11")


def test_answers_of_several_chunks_are_joined_in_order() -> None:
    """Rows that come back are the caller's own, to write to."""
    first = Embeddings(np.ones((2, 3), np.float32), [1, 2], [False, True], "1")
    second = Embeddings(np.zeros((1, 3), np.float32), [3], [False], "1")
    joined = messages.decode([messages.Response.FromString(messages.encode(part)) for part in (first, second)])
    assert joined.rows.tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert (joined.token_counts, joined.truncated) == ([1, 2, 3], [False, True, False])
    joined.rows[0, 0] = 7


@pytest.mark.parametrize("other", [Embeddings(np.ones((1, 3), np.float32), [1], [False], "2"),
                                   Embeddings(np.ones((2, 6), np.float32), [1, 1], [False] * 2, "1")])  # fmt: skip
def test_answers_of_different_models_are_never_joined(other: Embeddings) -> None:
    """Embeddings of another version aren't joined, nor of another width that happens to divide evenly."""
    one = Embeddings(np.zeros((1, 3), np.float32), [3], [False], "1")
    with pytest.raises(ValueError, match="different models"):
        messages.decode([messages.Response.FromString(messages.encode(part)) for part in (one, other)])


@pytest.mark.parametrize(
    "response",
    [
        embedding_pb2.EmbedResponse(),
        embedding_pb2.EmbedResponse(embeddings=[{}, {}]),
        embedding_pb2.EmbedResponse(embeddings=[{"values": [1, 2, 3]}, {"values": [4]}]),
        embedding_pb2.EmbedResponse(embeddings=[{}, {"values": [1, 2]}]),
        b"\x0a\x05\x0a\x03abc",
    ],
    ids=["nothing", "empty rows", "ragged", "one empty", "half a number"],
)
def test_an_answer_that_makes_no_sense_is_a_value_error(response: embedding_pb2.EmbedResponse | bytes) -> None:
    """Rows are never put together from other rows' numbers."""
    content = response if isinstance(response, bytes) else response.SerializeToString()
    with pytest.raises(ValueError, match=r"\w"):
        messages.decode([messages.Response.FromString(content)])
