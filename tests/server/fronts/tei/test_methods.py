"""text-embeddings-inference's API over gRPC against a real server, by the stubs that its contract gives."""

from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from bothends.client.sync import Client
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.tei.v1 import embedding_pb2, embedding_pb2_grpc
from bothends.tei.v1.embedding_pb2 import EmbedRequest, EncodeRequest, InfoRequest
from tests.support.doors import connected
from tests.support.until import TIMEOUT_S

SENTENCES = ["there will be dragons", "a man plays the guitar and a woman sings", "no"]
LONG = "first " + "there will be dragons " * 200 + "last"
"""More than the model reads."""
LEFT = embedding_pb2.TRUNCATION_DIRECTION_LEFT


@pytest.fixture(scope="module")
def channel(server: Server) -> Iterator[grpc.Channel]:
    with connected(server) as opened:
        yield opened


def embed(channel: grpc.Channel, request: EmbedRequest, metadata: list[tuple[str, str]] | None = None) -> np.ndarray:
    """Embed one text, [dimension]."""
    response = embedding_pb2_grpc.EmbedStub(channel).Embed(request, timeout=TIMEOUT_S, metadata=metadata)
    return np.array(response.embeddings, np.float32)


def test_a_text(channel: grpc.Channel, client: Client) -> None:
    """As the model computes it, or of length 1; the message says what it cost."""
    assert np.array_equal(embed(channel, EmbedRequest(inputs="no")), client.encode(["no"])[0])
    unit = client.encode(["no"], normalize=True)[0]
    assert np.array_equal(embed(channel, EmbedRequest(inputs="no", normalize=True)), unit)
    cost = embedding_pb2_grpc.EmbedStub(channel).Embed(EmbedRequest(inputs=SENTENCES[0])).metadata
    assert (cost.compute_chars, cost.compute_tokens) == (len(SENTENCES[0]), 4)


def test_a_long_text(channel: grpc.Channel, client: Client) -> None:
    """An error, unless it is to be cut, at either side."""
    with pytest.raises(grpc.RpcError) as caught:
        embed(channel, EmbedRequest(inputs=LONG))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "more than the 256 tokens" in (caught.value.details() or "")
    for request, kept in (
        (EmbedRequest(truncate=True), "start"),
        (EmbedRequest(truncate=True, truncation_direction=LEFT), "end"),
    ):
        request.inputs = LONG
        expected = client.embed([LONG], truncation=kept).rows[0]  # type: ignore[arg-type]
        assert np.array_equal(embed(channel, request), expected)


def test_a_prompt_is_refused(channel: grpc.Channel) -> None:
    """An empty name asks for none."""
    assert embed(channel, EmbedRequest(inputs="a", prompt_name="")).shape == (512,)
    with pytest.raises(grpc.RpcError, match="this model has no prompts"):
        embed(channel, EmbedRequest(inputs="a", prompt_name="query"))
    with pytest.raises(grpc.RpcError, match="this model has no prompts"):
        embedding_pb2_grpc.TokenizeStub(channel).Tokenize(EncodeRequest(inputs="a", prompt_name="query"))


def test_streams_answer_each_message_in_its_turn(channel: grpc.Channel, client: Client) -> None:
    """Of more texts than are read at once."""
    texts = [f"dragon number {number}" for number in range(1000)]
    responses = embedding_pb2_grpc.EmbedStub(channel).EmbedStream(EmbedRequest(inputs=text) for text in texts)
    assert np.array_equal(np.array([response.embeddings for response in responses], np.float32), client.encode(texts))
    tokens = embedding_pb2_grpc.TokenizeStub(channel).TokenizeStream(EncodeRequest(inputs=text) for text in SENTENCES)
    assert [[token.text for token in response.tokens] for response in tokens] == [text.split() for text in SENTENCES]


def test_a_text_that_fails_ends_its_stream(channel: grpc.Channel) -> None:
    """Those before it are answered."""
    responses = embedding_pb2_grpc.EmbedStub(channel).EmbedStream(EmbedRequest(inputs=text) for text in ("a", " ", "b"))
    assert len(next(responses).embeddings) == 512
    with pytest.raises(grpc.RpcError) as caught:
        next(responses)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_tokens_and_info(channel: grpc.Channel, english: Bundle) -> None:
    response = embedding_pb2_grpc.TokenizeStub(channel).Tokenize(EncodeRequest(inputs="There  will"))
    assert [(token.text, token.start, token.stop) for token in response.tokens] == [("There", 0, 5), ("will", 7, 11)]
    info = embedding_pb2_grpc.InfoStub(channel).Info(InfoRequest())
    assert (info.model_id, info.model_sha) == ("english", english.config.version)
    assert (info.model_type, info.max_input_length) == (embedding_pb2.MODEL_TYPE_EMBEDDING, 256)
    assert not info.HasField("docker_label")
