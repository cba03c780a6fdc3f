"""The service through a real channel to a real server: numbers, errors, metrics, health."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from bothends.client.sync import Client
from bothends.errors import DeadlineError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.server.server import Server
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support.doors import left_to_python
from tests.support.engines import placed
from tests.support.gate import Gate
from tests.support.measured import sample
from tests.support.until import TIMEOUT_S, until

SENTENCES = [f"{number} dragons will be there" + " and there" * (number % 17) for number in range(60)]


@pytest.fixture(scope="module")
def expected(english: Bundle) -> np.ndarray:
    """The engine's own rows, each sentence alone."""
    engine = placed(english)
    tokenizer = Tokenizer(english.tokenizer, max_tokens=english.config.max_tokens, source=english.path)
    return np.concatenate([engine.run([tokens.ids]) for tokens in tokenizer.encode(SENTENCES)])


@pytest.fixture
def stub(server: Server) -> embedding_pb2_grpc.EmbeddingServiceStub:
    return embedding_pb2_grpc.EmbeddingServiceStub(grpc.insecure_channel(f"127.0.0.1:{server.port}"))


def left(server: Server) -> float:
    """Number of calls of Embed whose callers left, by their deadline or not: a busy machine's clocks are far apart."""
    codes = ("DEADLINE_EXCEEDED", "CANCELLED")
    return sum(sample(server, "bothends_requests_total", code=code, method="Embed") for code in codes)


def test_the_clients_numbers_are_the_engines_bit_for_bit(client: Client, expected: np.ndarray) -> None:
    rows = client.encode(SENTENCES)
    assert (rows.dtype, rows.shape) == (np.dtype(np.float32), (60, 512))
    assert rows.tobytes() == expected.tobytes()


def test_load_changes_no_bit(server: Server, expected: np.ndarray) -> None:
    """Sixteen callers at once, one sentence a call: each gets the bytes that the sentence alone gives."""

    def one(number: int) -> bool:
        index = number % len(SENTENCES)
        with Client(f"127.0.0.1:{server.port}") as own:
            return bool(own.encode([SENTENCES[index]])[0].tobytes() == expected[index].tobytes())

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(240)))


def test_the_model_says_what_a_client_must_know(client: Client, english: Bundle) -> None:
    model = client.model()
    assert (model.name, model.version) == ("english", english.config.version)
    assert (model.dimension, model.max_tokens, model.max_sentences) == (512, 256, 300)
    assert (model.pooling, model.device, model.engine) == ("final_states", "cpu", placed(english).provider)
    assert tuple(model.nested_dimensions) == english.config.nested_dimensions
    assert (model.max_sentence_chars, model.max_request_tokens) == (65536, 262144)
    assert model.server_version


@pytest.mark.parametrize(
    ("sentences", "field", "description"),
    [
        ([], "sentences", "no sentences"),
        (["fine", ""], "sentences[1]", "is empty"),
        (["fine", "fine", " \t\n\u00a0"], "sentences[2]", "is empty"),
        (["\x00"], "sentences[0]", "nothing that the model's tokenizer can read"),
        (["fine", "x" * 65_537], "sentences[1]", "has 65537 characters; this server's limit is 65536"),
        (["x" * 1_000_000], "sentences[0]", "has 1000000 characters"),
        (["a"] * 301, "sentences", "301 sentences are more than this server's limit of 300"),
    ],
)
@pytest.mark.parametrize("method", ["Embed", "Tokenize"])
def test_bad_input_is_named(
    stub: embedding_pb2_grpc.EmbeddingServiceStub, method: str, sentences: list[str], field: str, description: str
) -> None:
    """INVALID_ARGUMENT with ErrorInfo and a BadRequest that names the sentence or the limit."""
    with pytest.raises(grpc.RpcError) as raised:
        getattr(stub, method)(getattr(embedding_pb2, f"{method}Request")(sentences=sentences))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(raised.value)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert info.domain == "bothends"
    assert status.details[1].Unpack(bad)
    assert bad.field_violations[0].field == field
    assert description in bad.field_violations[0].description


def test_a_dead_request_is_not_tokenised_to_its_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of megabytes gives the processor back at the first look at its deadline after that has passed."""
    encode, looks = Tokenizer.encode, list[None]()
    gone, ended = threading.Event(), threading.Event()

    def looked_at(self: Tokenizer, texts: list[str], **options: Any) -> object:
        if (look := options.get("check_deadline")) is None:  # the self-test's
            return encode(self, texts, **options)

        def late() -> None:
            looks.append(None)
            assert gone.wait(TIMEOUT_S)
            try:
                look()
            except DeadlineError:
                ended.set()
                raise

        return encode(self, texts, **{**options, "check_deadline": late})

    monkeypatch.setattr(Tokenizer, "encode", looked_at)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)

        def is_begun() -> bool:
            """Leave a call alone; on a busy machine its time may be over before it is looked at."""
            before = left(server)
            with pytest.raises(grpc.RpcError):
                stub.Embed(left_to_python(embedding_pb2.EmbedRequest(sentences=["a!" * 20_000] * 40)), timeout=0.5)
            until(lambda: left(server) > before)
            return bool(looks)

        until(is_begun)
        gone.set()
    assert ended.wait(TIMEOUT_S)
    assert len(looks) == 1


def test_a_bad_request_costs_its_mates_nothing(server: Server, expected: np.ndarray) -> None:
    """Good requests beside bad ones are all served, bit for bit."""
    channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
    stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
    calls = list[tuple[int | None, Any]]()
    for number, sentence in enumerate(SENTENCES):
        calls.append((number, stub.Embed.future(embedding_pb2.EmbedRequest(sentences=[sentence]))))
        calls.append((None, stub.Embed.future(embedding_pb2.EmbedRequest(sentences=[sentence, " "]))))
    for index, call in calls:
        if index is None:
            assert call.exception().code() == grpc.StatusCode.INVALID_ARGUMENT
        else:
            row = np.array(call.result().embeddings[0].values, dtype=np.float32)
            assert row.tobytes() == expected[index].tobytes()
    channel.close()


def test_a_long_sentence_says_that_it_was_cut(server: Server, stub: embedding_pb2_grpc.EmbeddingServiceStub) -> None:
    """The reply has the tokens read and the mark, and the counter moves; its mate isn't marked."""
    before = sample(server, "bothends_truncated_sentences_total", model="english")
    response = stub.Embed(embedding_pb2.EmbedRequest(sentences=["word " * 300, "word"]))
    assert [(e.token_count, e.truncated) for e in response.embeddings] == [(256, True), (1, False)]
    until(lambda: sample(server, "bothends_truncated_sentences_total", model="english") == before + 1)


def test_a_cancelled_call_frees_its_places(server: Server, gate: Gate) -> None:
    """A request whose caller has left waits no more, while engines stand still."""
    gate.clear()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
        call = stub.Embed.future(left_to_python(embedding_pb2.EmbedRequest(sentences=["a dragon"] * 300)))
        until(lambda: gate.sentences(server) > 100)
        call.cancel()
        until(lambda: gate.sentences(server) == 0)
