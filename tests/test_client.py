"""The client: chunks, indexes that count in the caller's own list, errors that say what to do."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from bothends import (
    Client,
    ConnectionFailedError,
    DeadlineError,
    OverloadedError,
    RequestError,
    SentenceError,
    TruncationWarning,
)
from bothends.chunks import chunks
from bothends.server import Server


def test_many_sentences_are_sent_in_chunks(client: Client) -> None:
    """More than one request may hold come back as one array, in order."""
    sentences = [f"sentence number {number}" for number in range(1000)]
    rows = client.embed(sentences)
    assert rows.shape == (1000, 512)
    for index in (0, 255, 256, 999):
        assert rows[index].tobytes() == client.embed([sentences[index]])[0].tobytes()


def test_chunks_keep_both_limits() -> None:
    """At most so many sentences, at most so many bytes, never an empty chunk unless there is nothing at all."""
    assert list(chunks([1] * 5, most=2, most_size=100)) == [(0, 2), (2, 4), (4, 5)]
    assert list(chunks([100, 1, 1, 200], most=10, most_size=100)) == [(0, 1), (1, 3), (3, 4)]
    assert list(chunks([], most=10, most_size=100)) == [(0, 0)]


def test_a_bad_sentence_is_named_in_the_callers_count(client: Client) -> None:
    """In the second chunk, too."""
    sentences = ["fine"] * 400
    sentences[300] = " "
    with pytest.raises(SentenceError, match=r"sentences\[300\] is empty") as raised:
        client.embed(sentences)
    assert raised.value.index == 300


def test_no_deadline_in_sight_is_none(client: Client) -> None:
    """An infinite timeout waits as long as it takes."""
    assert client.embed(["patience"], timeout_s=float("inf")).shape == (1, 512)
    assert client.model(timeout_s=1e12).name == "english"


def test_a_lone_surrogate_is_named_before_anything_is_sent(client: Client) -> None:
    """It has no UTF-8, so it can't be sent at all."""
    with pytest.raises(SentenceError, match=r"sentences\[1\] is no valid Unicode"):
        client.embed(["fine", "half \ud83d a pair"])


def test_no_sentences_is_a_request_error(client: Client) -> None:
    with pytest.raises(RequestError, match="no sentences"):
        client.embed([])


def test_one_string_is_a_type_error(client: Client) -> None:
    """A string is a sequence of strings; embedding its letters is never what was meant."""
    with pytest.raises(TypeError, match="pass a list"):
        client.embed("there will be dragons")


def test_a_cut_sentence_warns(client: Client) -> None:
    """Nothing is truncated silently: embed warns, embed_details marks."""
    sentences = ["short", "word " * 300]
    with pytest.warns(TruncationWarning, match="1 of 2 sentences"):
        client.embed(sentences)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = client.embed_details(sentences)
    assert (found.truncated, found.token_counts) == ([False, True], [1, 256])
    assert found.model_version == client.model().version


def test_the_deadline_bounds_the_whole_call(client: Client) -> None:
    with pytest.raises(DeadlineError):
        client.embed(["word " * 250] * 1000, timeout_s=0.05)
    with pytest.raises(DeadlineError):
        client.embed(["word"], timeout_s=0)


def test_no_server_is_one_line_that_names_the_address() -> None:
    with Client("127.0.0.1:1", timeout_s=5) as lonely, pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1:1"):
        lonely.embed(["anyone there?"])


def test_a_request_over_the_message_limit_is_the_callers_error(client: Client) -> None:
    """gRPC calls it RESOURCE_EXHAUSTED; trying again would never help."""
    with pytest.raises(RequestError, match="too large"):
        client.embed(["x" * 5_000_000])


def test_threads_share_a_client(client: Client) -> None:
    alone = client.embed(["shared words"])
    with ThreadPoolExecutor(8) as pool:
        assert all(
            np.array_equal(rows, alone) for rows in pool.map(lambda _: client.embed(["shared words"]), range(40))
        )


def test_a_closed_client_says_so(server: Server) -> None:
    client = Client(f"127.0.0.1:{server.port}")
    client.close()
    with pytest.raises((ValueError, grpc.RpcError)):
        client.embed(["too late"])


def test_a_call_that_grpc_drops_is_an_overload() -> None:
    """gRPC says CANCELLED to calls that an overloaded server never saw; a caller must not think it was itself."""

    def drop(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.CANCELLED, "CANCELLED")

    dropping = grpc.server(ThreadPoolExecutor(1))
    handlers = {"Embed": grpc.unary_unary_rpc_method_handler(drop)}
    dropping.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bothends.v1.EmbeddingService", handlers),))
    port = dropping.add_insecure_port("127.0.0.1:0")
    dropping.start()
    with Client(f"127.0.0.1:{port}") as client, pytest.raises(OverloadedError, match="dropped the call") as raised:
        client.embed(["anyone?"])
    assert raised.value.retry_after_s > 0
    dropping.stop(None).wait()
