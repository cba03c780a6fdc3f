"""Both clients: chunks, indexes that count in the caller's own list, errors that say what to do."""

import inspect
import itertools
import re
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from bothends import (
    AsyncClient,
    BothendsError,
    Client,
    ConnectionFailedError,
    DeadlineError,
    ModelChangedError,
    OverloadedError,
    RequestError,
    Retry,
    SentenceError,
    TruncationWarning,
    nested,
)
from bothends.bundle import Bundle
from bothends.chunks import chunks
from bothends.server import Server
from bothends.settings import Settings
from bothends.v1 import embedding_pb2

from .awaited import Awaited
from .grpcs import answer, serving

Either = type[Client] | type[Awaited]
ONCE = Retry(attempts=1)


@pytest.fixture(params=[Client, Awaited], ids=["threads", "asyncio"])
def either(request: pytest.FixtureRequest) -> Either:
    """One client, then the other."""
    chosen: Either = request.param
    return chosen


@pytest.fixture
def client(server: Server, either: Either) -> Iterator[Client | Awaited]:
    """One of a bothends server."""
    with either(f"127.0.0.1:{server.port}") as connected:
        yield connected


def test_both_are_the_same_to_look_at() -> None:
    """Methods, arguments and their defaults; only the words `async` and `await` differ, and what makes a stream."""
    theirs = [name for name in vars(AsyncClient) if not name.startswith("_")]
    assert theirs == [name for name in vars(Client) if not name.startswith("_")]
    for name in ["__init__", *theirs]:
        here, there = (inspect.signature(getattr(kind, name)) for kind in (Client, AsyncClient))
        if name.endswith("_stream"):
            here, there = (
                each.replace(
                    return_annotation=str,
                    parameters=[
                        one.replace(annotation=str) if one.name == "sentences" else one
                        for one in each.parameters.values()
                    ],
                )
                for each in (here, there)
            )
        assert there == here, name


def test_many_sentences_are_sent_in_chunks(client: Client | Awaited) -> None:
    """More than one request may hold come back as one array, in order."""
    sentences = [f"sentence number {number}" for number in range(1000)]
    rows = client.encode(sentences)
    assert rows.shape == (1000, 512)
    for index in (0, 255, 256, 999):
        assert rows[index].tobytes() == client.encode([sentences[index]])[0].tobytes()


def test_chunks_keep_both_limits() -> None:
    """At most so many sentences, at most so many bytes, never an empty chunk unless there is nothing at all."""
    assert list(chunks([1] * 5, most=2, most_size=100)) == [(0, 2), (2, 4), (4, 5)]
    assert list(chunks([100, 1, 1, 200], most=10, most_size=100)) == [(0, 1), (1, 3), (3, 4)]
    assert list(chunks([], most=10, most_size=100)) == [(0, 0)]


def test_a_bad_sentence_is_named_in_the_callers_count(client: Client | Awaited) -> None:
    """In the second chunk, too."""
    sentences = ["fine"] * 400
    sentences[300] = " "
    with pytest.raises(SentenceError, match=r"sentences\[300\] is empty") as raised:
        client.encode(sentences)
    assert raised.value.index == 300


def test_no_deadline_in_sight_is_none(client: Client | Awaited) -> None:
    """An infinite timeout waits as long as it takes."""
    assert client.encode(["patience"], timeout_s=float("inf")).shape == (1, 512)
    assert client.model(timeout_s=1e12).name == "english"


def test_a_lone_surrogate_is_named_before_anything_is_sent(client: Client | Awaited) -> None:
    """It has no UTF-8, so it can't be sent at all."""
    with pytest.raises(SentenceError, match=r"sentences\[1\] is no valid Unicode"):
        client.encode(["fine", "half \ud83d a pair"])


def test_no_sentences_is_a_request_error(client: Client | Awaited) -> None:
    with pytest.raises(RequestError, match="no sentences"):
        client.encode([])


def test_one_string_is_one_row(client: Client | Awaited) -> None:
    """A string is a sequence of strings; embedding its letters is never what was meant."""
    row = client.encode("there will be dragons")
    assert row.shape == (512,)
    assert row.tobytes() == client.encode(["there will be dragons"]).tobytes()
    with pytest.raises(TypeError, match="pass a list"):
        client.embed("there will be dragons")


def test_options_shape_what_comes_back(client: Client | Awaited) -> None:
    """Each option does to the rows what it says, and nothing else."""
    sentences = ["there will be dragons", "no", "a man plays the guitar"]
    rows = client.encode(sentences)
    unit = client.encode(sentences, normalize=True)
    np.testing.assert_allclose(unit, rows / np.linalg.norm(rows, axis=1, keepdims=True), rtol=1e-6)
    small = client.encode(sentences, dimensions=64)
    assert small.tobytes() == nested(rows, 64).tobytes()
    assert np.linalg.norm(client.encode(sentences, dimensions=64, normalize=True), axis=1) == pytest.approx(1)
    half = client.encode(sentences, encoding="float16")
    assert (half.dtype, half.tobytes()) == (np.float16, rows.astype(np.float16).tobytes())
    found = client.embed(sentences, encoding="int8")
    assert found.scales is not None
    assert found.rows.dtype == np.int8
    assert np.abs(found.rows * found.scales[:, None] - rows).max() <= found.scales.max() / 2 + 1e-7
    bits = client.encode(sentences, encoding="sign_bits")
    assert (np.unpackbits(bits, axis=1) == (rows > 0)).all()


def test_a_long_sentence_keeps_the_end_asked_for(client: Client | Awaited) -> None:
    """Its last 256 words alone give the same numbers; `error` refuses it, by index."""
    words = [f"{'dragon' if number % 3 else 'cat'}" for number in range(300)]
    sentence = " ".join(words)
    found = client.embed([sentence], truncation="end")
    assert found.truncated == [True]
    assert found.rows.tobytes() == client.encode([" ".join(words[-256:])]).tobytes()
    with pytest.raises(SentenceError, match="more than the 256 tokens") as raised:
        client.encode(["short", sentence], truncation="error")
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
    client: Client | Awaited, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestError, match=re.escape(told)):
        client.encode(["word"], **asked)


def test_a_cut_sentence_warns(client: Client | Awaited) -> None:
    """Nothing is truncated silently: encode warns, embed marks."""
    sentences = ["short", "word " * 300]
    with pytest.warns(TruncationWarning, match="1 of 2 sentences"):
        client.encode(sentences)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = client.embed(sentences)
    assert (found.truncated, found.token_counts) == ([False, True], [1, 256])
    assert found.model_version == client.model().version


def test_the_deadline_bounds_the_whole_call(client: Client | Awaited) -> None:
    with pytest.raises(DeadlineError):
        client.encode(["word " * 250] * 1000, timeout_s=0.05)
    with pytest.raises(DeadlineError):
        client.encode(["word"], timeout_s=0)


def test_no_server_is_one_line_that_names_the_address(either: Either) -> None:
    with either("127.0.0.1:1", retry=ONCE) as lonely, pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1:1"):
        lonely.encode(["anyone there?"])


def test_a_request_over_the_message_limit_is_the_callers_error(client: Client | Awaited) -> None:
    """gRPC calls it RESOURCE_EXHAUSTED; trying again would never help."""
    with pytest.raises(RequestError, match="too large"):
        client.encode(["x" * 5_000_000])


def test_threads_share_a_client(server: Server) -> None:
    with Client(f"127.0.0.1:{server.port}") as client, ThreadPoolExecutor(8) as pool:
        alone = client.encode(["shared words"])
        assert all(
            np.array_equal(rows, alone) for rows in pool.map(lambda _: client.encode(["shared words"]), range(40))
        )


def test_a_closed_client_says_so(server: Server, either: Either) -> None:
    with either(f"127.0.0.1:{server.port}") as client:
        client.encode(["in time"])
        client.close()
        with pytest.raises(ValueError, match="closed"):
            client.encode(["too late"])


def test_a_client_closed_while_it_waits_says_so() -> None:
    """Not that the server was overloaded; and it doesn't try again."""
    asked = threading.Event()

    def never(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        asked.set()
        threading.Event().wait(10)
        return b""

    with serving(never) as server, ThreadPoolExecutor(1) as pool:
        client = Client(server.target)
        waiting = pool.submit(client.encode, ["anyone?"])
        assert asked.wait(10)
        client.close()
        with pytest.raises(BothendsError, match="was closed while it waited"):
            waiting.result(10)


def test_a_call_that_grpc_drops_is_an_overload(either: Either) -> None:
    """gRPC says CANCELLED to calls that an overloaded server never saw; a caller must not think it was itself."""

    def drop(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.CANCELLED, "CANCELLED")

    with (
        serving(drop) as server,
        either(server.target, retry=ONCE) as client,
        pytest.raises(OverloadedError, match="dropped the call") as raised,
    ):
        client.encode(["anyone?"])
    assert raised.value.retry_after_s > 0


def test_too_few_embeddings_are_an_error(either: Either) -> None:
    """A server that loses one would shift all after it to the wrong sentences."""

    def lose(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        return answer(embedding_pb2.EmbedRequest(sentences=request.sentences[:-1]))

    with (
        serving(lose) as server,
        either(server.target) as client,
        pytest.raises(BothendsError, match="1 embeddings for 2 sentences"),
    ):
        client.encode(["one", "two"])


@pytest.mark.parametrize("old", [(0, 1), (1,), (0, 2)], ids=["in order", "overtaken by one", "overtaking one"])
def test_a_new_model_answers_all_of_a_call_or_none(either: Either, old: tuple[int, ...]) -> None:
    """The server's model is replaced after some of five chunks: their vectors would fit nothing that follows."""
    asked: list[list[str]] = []
    sentences = [f"{'x' * number}" for number in range(1, 11)]
    chunks = [sentences[i : i + 2] for i in range(0, 10, 2)]

    def reloaded(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        chunk = list(request.sentences)
        again = chunk in asked
        asked.append(chunk)
        return answer(request, version="1" if chunks.index(chunk) in old and not again else "2")

    with serving(reloaded) as server, either(server.target) as client:
        found = client.embed(sentences)
    assert found.model_version == "2"
    assert found.rows[:, 0].tolist() == [len(sentence) for sentence in sentences]
    assert sorted(asked) == sorted([*chunks, *(chunks[i] for i in old)])  # those of the old model asked twice


def test_models_that_never_agree_are_an_error(either: Either) -> None:
    """As where servers behind one address were upgraded in part, and their balancer has bad luck."""
    count = itertools.count()

    def moody(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        return answer(request, version="1" if request.sentences[0] == "first" else f"2.{next(count)}")

    with (
        serving(moody) as server,
        either(server.target) as client,
        pytest.raises(ModelChangedError, match="models 1 and "),
    ):
        client.encode(["first", "second", "third"])
    assert next(count) <= 6


def test_limits_that_shrank_are_learnt(either: Either, english: Bundle) -> None:
    """The server came back with a lower limit than the one that the client knows."""
    settings = Settings(bundle=english.path, device="cpu", workers=1, port=0, http_port=0, selftest_s=0)
    before = Server(settings)
    before.start()
    sentences = [f"sentence {number}" for number in range(60)]
    with either(f"127.0.0.1:{before.port}", retry=Retry(attempts=30), timeout_s=60) as client:
        expected = client.encode(sentences)
        before.stop()
        after = Server(settings.model_copy(update={"port": before.port, "max_sentences": 7}))
        after.start()
        assert client.encode(sentences).tobytes() == expected.tobytes()
        after.stop()
