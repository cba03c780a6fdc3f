"""The short way and the contract's way are the same bytes."""

from typing import Any

import numpy as np
import pytest
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bothends.embeddings import Embeddings
from bothends.errors import RequestError
from bothends.options import parse_options
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


@pytest.mark.parametrize("encoding", ["float32", "float16", "int8", "sign_bits"])
@pytest.mark.parametrize("truncation", ["start", "end", "error"])
def test_options_come_back_as_they_were_asked(truncation: str, encoding: str) -> None:
    """A client's words become numbers, and a server's the same words."""
    asked = parse_options(truncation=truncation, normalize=True, dimensions=64, encoding=encoding)  # type: ignore[arg-type]
    fields = messages.request_fields(asked)
    request = embedding_pb2.EmbedRequest.FromString(embedding_pb2.EmbedRequest(**fields).SerializeToString())
    assert messages.options(request) == asked


@pytest.mark.parametrize("field", ["encoding", "truncation"])
def test_options_that_the_contract_does_not_know_are_refused_by_name(field: str) -> None:
    unknown: Any = {field: 9}
    request = embedding_pb2.EmbedRequest.FromString(embedding_pb2.EmbedRequest(**unknown).SerializeToString())
    with pytest.raises(RequestError, match="9 is no ") as refused:
        messages.options(request)
    assert refused.value.field == field


def test_a_streams_answer_holds_embeddings_and_errors_of_one_model() -> None:
    """Whoever reads it by the contract finds each item in its place."""
    items = [{"values": np.array([1, 2], "<f4").tobytes(), "token_count": 3}, status_pb2.Status(code=3, message="no")]
    content = messages.encode_items(items, "2026.11")
    found = embedding_pb2.EmbedStreamResponse.FromString(content)
    assert found.model_version == "2026.11"
    assert list(found.items[0].embedding.values) == [1, 2]
    assert found.items[0].embedding.token_count == 3
    assert (found.items[1].error.code, found.items[1].error.message) == (3, "no")


def test_a_version_has_64_characters_at_most() -> None:
    one = Embeddings(np.ones((1, 3), np.float32), [1], [False], "v" * 64)
    assert messages.decode([messages.Response.FromString(messages.encode(one))]).model_version == "v" * 64
    more = messages.Response.FromString(messages.encode(Embeddings(one.rows, [1], [False], "v" * 65)))
    with pytest.raises(ValueError, match="doesn't say of which model"):
        messages.decode([more])
