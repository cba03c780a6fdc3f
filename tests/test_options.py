"""Options of a request beside its sentences, by both clients and on the wire."""

import re
import struct
import sys
from collections.abc import Iterator
from typing import Any, get_args

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from bothends import Client, SentenceError, nested
from bothends.options import EmbedOptions, EncodeOptions, Encoding, as_asked
from bothends.server.server import Server
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support.awaited import Awaited


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
    assert (half.dtype, half.tobytes()) == (np.dtype(np.float16), rows.astype(np.float16).tobytes())
    found = each_client.embed(sentences, encoding="int8")
    assert found.scales is not None
    assert found.rows.dtype == np.int8
    assert np.abs(found.rows * found.scales[:, None] - rows).max() <= found.scales.max() / 2 + 1e-7
    for encoding in get_args(Encoding):  # the client looks at their lengths
        each_client.encode(sentences, normalize=True, dimensions=64, encoding=encoding)
    bits = each_client.encode(sentences, encoding="sign_bits")
    assert (np.unpackbits(bits, axis=1) == (rows > 0)).all()


def test_a_long_sentence_keeps_the_end_asked_for(each_client: Client | Awaited) -> None:
    """The last 256 words alone give the same numbers; `error` refuses the sentence, by index."""
    words = [f"{'dragon' if number % 3 else 'cat'}" for number in range(300)]
    sentence = " ".join(words)
    found = each_client.embed([sentence], truncation="end")
    assert found.truncated == [True]
    assert found.rows.tobytes() == each_client.encode([" ".join(words[-256:])]).tobytes()
    with pytest.raises(SentenceError, match="more than the 256 tokens") as raised:
        each_client.encode(["short", sentence], truncation="error")
    assert raised.value.index == 1


@pytest.fixture
def stub(server: Server) -> Iterator[embedding_pb2_grpc.EmbeddingServiceStub]:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield embedding_pb2_grpc.EmbeddingServiceStub(channel)


WORDS = ["there will be dragons", "no"]
FIELDS = {"values", "float16_values", "int8_values", "scale", "sign_bits"}


@pytest.mark.parametrize("dimensions", [0, 64, 512])
def test_each_encoding_is_written_as_the_contract_says(
    stub: embedding_pb2_grpc.EmbeddingServiceStub, dimensions: int
) -> None:
    """Other readers than our client find little-endian numbers, one byte each, one bit each, and one of them alone."""
    size = dimensions or 512
    exact = stub.Embed(embedding_pb2.EmbedRequest(sentences=WORDS, dimensions=dimensions)).embeddings
    for encoding, used in (
        (embedding_pb2.ENCODING_UNSPECIFIED, {"values"}),
        (embedding_pb2.ENCODING_FLOAT32, {"values"}),
        (embedding_pb2.ENCODING_FLOAT16, {"float16_values"}),
        (embedding_pb2.ENCODING_INT8, {"int8_values", "scale"}),
        (embedding_pb2.ENCODING_SIGN_BITS, {"sign_bits"}),
    ):
        request = embedding_pb2.EmbedRequest(sentences=WORDS, dimensions=dimensions, encoding=encoding)
        for found, right in zip(stub.Embed(request).embeddings, exact, strict=True):
            numbers = list(right.values)
            assert {field.name for field, _ in found.ListFields()} & FIELDS == used
            assert (found.token_count, found.truncated) == (right.token_count, right.truncated)
            match encoding:
                case embedding_pb2.ENCODING_FLOAT16:
                    assert found.float16_values == struct.pack(f"<{size}e", *numbers)
                case embedding_pb2.ENCODING_INT8:
                    read = struct.unpack(f"{size}b", found.int8_values)
                    assert found.scale == pytest.approx(max(map(abs, numbers)) / 127)
                    assert max(map(abs, read)) == 127
                    off = np.array(read) * found.scale - np.array(numbers)
                    assert np.abs(off).max() <= found.scale / 2 * 1.001
                case embedding_pb2.ENCODING_SIGN_BITS:
                    bits = "".join(f"{byte:08b}" for byte in found.sign_bits)
                    assert bits == "".join("1" if number > 0 else "0" for number in numbers)
                case _:
                    assert list(found.values) == numbers


@pytest.mark.parametrize(
    ("options", "field", "told"),
    [
        ({"encoding": 99}, "encoding", "99 is no Encoding of this contract"),
        ({"encoding": -1}, "encoding", "-1 is no Encoding of this contract"),
        ({"truncation": 99}, "truncation", "99 is no Truncation of this contract"),
        ({"dimensions": 100}, "dimensions", "100 dimensions can't be had; this model offers 64, 128, 256, 512"),
        ({"dimensions": -64}, "dimensions", "-64 dimensions can't be had"),
        ({"dimensions": 513}, "dimensions", "513 dimensions can't be had"),
    ],
)
def test_a_wrong_option_is_named(
    stub: embedding_pb2_grpc.EmbeddingServiceStub, options: dict[str, int], field: str, told: str
) -> None:
    """The status is INVALID_ARGUMENT, with a BadRequest that names the field."""
    with pytest.raises(grpc.RpcError) as raised:
        stub.Embed(embedding_pb2.EmbedRequest(sentences=WORDS, **options))  # type: ignore[arg-type]
    status, bad = rpc_status.from_call(raised.value), error_details_pb2.BadRequest()
    assert status is not None
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert status.details[1].Unpack(bad)
    assert [violation.field for violation in bad.field_violations] == [field]
    assert told in status.message


def test_truncation_on_the_wire(stub: embedding_pb2_grpc.EmbeddingServiceStub) -> None:
    """Unspecified is the start; a sentence that just fits is no error and not cut."""
    words = [f"{'dragon' if number % 3 else 'cat'}" for number in range(257)]
    long, start, end = " ".join(words), " ".join(words[:256]), " ".join(words[1:])
    expected = stub.Embed(embedding_pb2.EmbedRequest(sentences=[start, end])).embeddings
    for truncation, right in (
        (embedding_pb2.TRUNCATION_UNSPECIFIED, expected[0]),
        (embedding_pb2.TRUNCATION_KEEP_START, expected[0]),
        (embedding_pb2.TRUNCATION_KEEP_END, expected[1]),
    ):
        found = stub.Embed(embedding_pb2.EmbedRequest(sentences=[long, start], truncation=truncation)).embeddings
        assert [(one.token_count, one.truncated) for one in found] == [(256, True), (256, False)]
        assert found[0].values == right.values
    fits = embedding_pb2.EmbedRequest(sentences=[start], truncation=embedding_pb2.TRUNCATION_ERROR)
    assert stub.Embed(fits).embeddings[0].values == expected[0].values
    with pytest.raises(grpc.RpcError, match="has more than the 256 tokens"):
        stub.Embed(embedding_pb2.EmbedRequest(sentences=[long], truncation=embedding_pb2.TRUNCATION_ERROR))


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        ({"normalize_embeddings": True}, {"normalize": True}),
        ({"truncate_dim": 64, "normalize_embeddings": True}, {"dimensions": 64, "normalize": True}),
        ({"truncate_dim": None}, {}),
        ({"batch_size": 32, "show_progress_bar": False, "convert_to_numpy": True, "convert_to_tensor": False}, {}),
        ({"precision": "float32", "output_value": "sentence_embedding", "device": None, "prompt": None}, {}),
        (dict.fromkeys(sorted(EncodeOptions.__annotations__.keys() - EmbedOptions.__annotations__)), {}),
        ({"normalize": True, "normalize_embeddings": None, "pool": None}, {"normalize": True}),
    ],
    ids=str,
)
def test_words_of_sentence_transformers_mean_ours(
    each_client: Client | Awaited, theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    """A program that was written for sentence-transformers gets the very rows that our own words get."""
    for given in ("there will be dragons", ["there will be dragons", "no"]):
        assert each_client.encode(given, **theirs).tobytes() == each_client.encode(given, **mine).tobytes()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"precision": "int8"}, "precision='int8': what you want is encoding=, which is float32, float16, int8"),
        ({"prompt_name": "query"}, "prompt_name='query': no model here knows prompts"),
        ({"device": "cuda"}, "device='cuda': what you want is Encoder.load(device=)"),
        ({"output_value": "token_embeddings"}, "a sentence has one row, and its tokens have none"),
        ({"max_seq_length": 128}, "and no max_seq_length; what you want is truncation="),
        ({"colour": "red"}, "encode() takes truncation, normalize, dimensions, encoding, and no colour"),
        ({"normalize": True, "normalize_embeddings": False}, "encode() got both normalize and sentence-transformers'"),
    ],
    ids=str,
)
def test_a_word_that_is_nobodys_is_an_error_that_names_ours(
    each_client: Client | Awaited, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        each_client.encode("there will be dragons", **asked)


@pytest.mark.parametrize("encoding", ["float32", "float16", "int8", "sign_bits"])
def test_tensors_hold_the_numbers_of_the_rows(each_client: Client | Awaited, encoding: Encoding) -> None:
    """One tensor, or a list of them; of no rows and of one too, and they may be written to."""
    torch = pytest.importorskip("torch")
    texts = ["there will be dragons", "no"]
    for given in (texts, texts[0], []):
        rows = each_client.encode(given, encoding=encoding)
        made: Any = each_client.encode(given, encoding=encoding, convert_to_tensor=True)
        assert isinstance(made, torch.Tensor)
        assert made.numpy().dtype == rows.dtype
        assert made.numpy().shape == rows.shape
        assert made.numpy().tobytes() == rows.tobytes()
        made += 1
    listed: Any = each_client.encode(texts, encoding=encoding, convert_to_numpy=False)
    assert [type(row) for row in listed] == [torch.Tensor] * 2
    assert torch.stack(listed).numpy().tobytes() == each_client.encode(texts, encoding=encoding).tobytes()


def test_without_torch_a_tensor_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match="a tensor needs torch; without it rows are NumPy arrays"):
        as_asked(np.zeros((1, 2)), {"convert_to_tensor": True})
