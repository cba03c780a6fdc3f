"""Bounds of a stream, and its waits: for a slow reader, a full server, other callers, the end."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from bothends import Client, DrainingError, QuotaError, Retry
from bothends.model.bundle import Bundle
from bothends.server.fronts.bothends.stream import EmbedStreams
from bothends.server.fronts.bothends.waiting import WaitingMessages
from bothends.server.keys import new
from bothends.server.server import Server
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support.doors import connected, embed, left_to_python, serving
from tests.support.gate import Gate
from tests.support.measured import sample
from tests.support.streams import Stream, request
from tests.support.until import TIMEOUT_S, until

SMALL: Any = {"transport": "grpcio", "max_queue_tokens": 20, "selftest_s": 0}
"""Settings of a server whose queue is soon full: that of Python's, since the native one has no bound in tokens."""


def left(*sentences: str) -> embedding_pb2.EmbedStreamRequest:
    """A message of Python's."""
    return left_to_python(request(*sentences))


def filling_with(channel: grpc.Channel, *sentences: str) -> embedding_pb2.EmbedResponse:
    """Make a call of Python's."""
    call = embedding_pb2_grpc.EmbeddingServiceStub(channel).Embed
    request = left_to_python(embedding_pb2.EmbedRequest(sentences=sentences))
    return cast("embedding_pb2.EmbedResponse", call(request, timeout=TIMEOUT_S))


def waiting(server: Server) -> WaitingMessages:
    """Messages that are to be tried again."""
    (streams,) = server.streams
    assert isinstance(streams, EmbedStreams)
    return streams.waiting


def embedded(server: Server) -> float:
    return sample(server, "bothends_sentence_tokens_count", model=server.service.embedder.name)


def test_a_full_server_lets_a_stream_wait(toy_bundle: Bundle, gate: Gate) -> None:
    """A stream isn't refused as Embed is: it goes on when there is room, and loses nothing."""
    with (
        serving(toy_bundle, **SMALL) as server,
        connected(server) as channel,
    ):
        gate.clear()
        with ThreadPoolExecutor(4) as pool, Stream(channel) as stream:
            filling = pool.submit(filling_with, channel, *["there will be dragons"] * 40)
            until(lambda: gate.sentences(server) > 20)
            stream.send(*[left(*["a man plays the guitar"] * 5) for _ in range(20)])
            with pytest.raises(grpc.RpcError) as raised:
                filling_with(channel, "a man plays the guitar")
            assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            gate.set()
            assert [len(response.items) for response in stream.rest()] == [5] * 20
            assert len(filling.result(TIMEOUT_S).embeddings) == 40
        until(lambda: sample(server, "bothends_refused_requests_total", reason="full") == 1)


def test_a_caller_that_leaves_frees_the_queue(toy_bundle: Bundle, gate: Gate) -> None:
    """The places are free at once, while engines still run what they had begun; another call gets them."""
    with (
        serving(toy_bundle, max_concurrent_requests=1, selftest_s=0) as server,
        connected(server) as channel,
        Stream(channel) as stream,
    ):
        gate.clear()
        stream.send(*[left(*["a man"] * 40) for _ in range(10)])
        until(lambda: gate.sentences(server) >= 64)  # as many as a batch is chosen from are read in
        stream.call.cancel()
        until(lambda: gate.sentences(server) == 0)
        until(lambda: sample(server, "bothends_requests_total", method="EmbedStream", code="CANCELLED") == 1)
        gate.set()
        assert embed(channel, "there").embeddings


def test_a_caller_that_leaves_while_it_waits_for_room_is_forgotten(toy_bundle: Bundle, gate: Gate) -> None:
    with (
        serving(toy_bundle, **SMALL) as server,
        connected(server) as channel,
    ):
        gate.clear()
        with ThreadPoolExecutor(1) as pool:
            filling = pool.submit(filling_with, channel, *["there will be dragons"] * 40)
            until(lambda: gate.sentences(server) > 20)
            with Stream(channel) as stream:
                stream.send(left(*["a man"] * 5))
                until(lambda: waiting(server))
                stream.call.cancel()
            until(lambda: sample(server, "bothends_requests_total", method="EmbedStream", code="CANCELLED") == 1)
            gate.set()
            filling.result(TIMEOUT_S)
        until(lambda: gate.sentences(server) == 0)
        assert embedded(server) == 40


def test_a_share_that_can_not_be_had_soon_ends_the_stream(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Messages before it are answered; the caller is told when to come again, and nothing of the stream's is kept."""
    key, entry = new("slow")
    (tmp_path / "keys.toml").write_text(f"{entry}sentences_per_s = 0.01\n")
    with (
        serving(toy_bundle, api_keys=tmp_path / "keys.toml", selftest_s=0) as server,
        connected(server) as channel,
        Stream(channel, key=key) as stream,
    ):
        stream.send(*[request("a man")] * 20)
        found, error = stream.to_the_end()
        assert len(found) == 1
        assert isinstance(error, QuotaError)
        assert 30 < error.retry_after_s <= 100
        until(lambda: not waiting(server))


def test_a_share_that_can_be_had_soon_is_waited_for(toy_bundle: Bundle, tmp_path: Path) -> None:
    """All of a key's streams go on, each in its order; a waiting message is asked for once, when its turn has come."""
    key, entry = new("steady")
    (tmp_path / "keys.toml").write_text(f"{entry}sentences_per_s = 100\n")
    with (
        serving(toy_bundle, api_keys=tmp_path / "keys.toml", selftest_s=0) as server,
        connected(server) as channel,
        ExitStack() as stack,
    ):
        streams = [stack.enter_context(Stream(channel, key=key)) for _ in range(10)]
        for stream in streams:
            stream.send(*[request("a man")] * 20)
        assert [len(stream.rest()) for stream in streams] == [20] * 10
        assert waiting(server).bytes == 0


def test_a_stopping_server_answers_what_it_read_and_ends_the_stream(toy_bundle: Bundle, gate: Gate) -> None:
    """No other stream holds it up: neither one that is idle nor one that never began."""
    with (
        serving(toy_bundle, drain_s=TIMEOUT_S, selftest_s=0) as server,
        connected(server) as channel,
        Stream(channel) as silent,
        Stream(channel) as paused,
        Stream(channel) as busy,
        ThreadPoolExecutor(1) as pool,
    ):
        paused.send(request("a man"))
        paused.receive()
        until(lambda: gate.sentences(server) == 0)
        gate.clear()
        busy.send(*[left(*["a man"] * 8) for _ in range(100)])
        until(lambda: gate.sentences(server) > 50)  # workers bring in no more than they soon need
        stopped = pool.submit(server.stop)
        assert isinstance(silent.end(), DrainingError)
        assert isinstance(paused.end(), DrainingError)
        assert not stopped.done()
        gate.set()
        found, error = busy.to_the_end()
        answered = sum(len(response.items) for response in found)
        assert isinstance(error, DrainingError)
        assert stopped.result(TIMEOUT_S)
        assert embedded(server) == 1 + answered
        assert answered > 50
        until(lambda: sample(server, "bothends_requests_total", method="EmbedStream", code="UNAVAILABLE") == 3)


def test_a_stream_that_begins_while_the_server_stops_is_told(toy_bundle: Bundle) -> None:
    with (
        serving(toy_bundle, selftest_s=0) as server,
        connected(server) as channel,
        Client(f"127.0.0.1:{server.port}", retry=Retry(attempts=1)) as client,
    ):
        server.grpc.drain()  # as in the moment before it stops
        with Stream(channel) as stream:
            assert isinstance(stream.end(), DrainingError)
        with pytest.raises(DrainingError):
            list(client.encode_stream(["a man"]))
