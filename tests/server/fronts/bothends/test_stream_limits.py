"""Bounds of a stream, and its waits: for a slow reader, a full server, other callers, the end."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from bothends import Client, DrainingError, QuotaError, Retry
from bothends.model.bundle import Bundle
from bothends.server.fronts.bothends.stream import EmbedStreams
from bothends.server.fronts.bothends.waiting import WaitingMessages
from bothends.server.keys import new
from bothends.server.server import Server
from tests.support.doors import ALONE, TIMEOUT_S, connected, embed, serving
from tests.support.streams import Stream, request
from tests.support.until import until

SMALL_WINDOW = [("grpc.http2.bdp_probe", 0), *ALONE]
"""Options of a channel over which 64 kB go; the rest waits."""


def left(*sentences: str) -> bytes:
    """A message with a field that C++ doesn't know: it is Python's, whose engine stands still where a test wants it."""
    return request(*sentences).SerializeToString() + b"\x30\x01"


def value(server: Server, name: str, **labels: str) -> float:
    return server.metrics.registry.get_sample_value(name, labels) or 0.0


def waiting(server: Server) -> WaitingMessages:
    """Messages that are to be tried again."""
    (streams,) = server.streams
    assert isinstance(streams, EmbedStreams)
    return streams.waiting


def embedded(server: Server) -> float:
    return value(server, "bothends_sentence_tokens_count", model=server.service.embedder.name)


def settled(server: Server) -> float:
    """Count the sentences embedded, once no more are. A slow machine proves less by it, and fails nothing."""
    while True:
        before = embedded(server)
        time.sleep(0.3)
        if embedded(server) == before > 0:
            return before


def test_a_caller_that_reads_nothing_is_read_no_further(server: Server) -> None:
    """A window of sentences is embedded and no more, whatever is sent; then all comes, in order, and right."""
    sentences = [f"{index} dragons will be there" for index in range(2000)]
    with Client(f"127.0.0.1:{server.port}", timeout_s=TIMEOUT_S) as client:
        expected = client.encode(sentences)
    before = embedded(server)
    with (
        grpc.insecure_channel(f"127.0.0.1:{server.port}", options=SMALL_WINDOW) as channel,
        Stream(channel, timeout=None) as stream,
    ):
        stream.send(*[request(*sentences[start : start + 50]) for start in range(0, 2000, 50)])
        assert settled(server) - before < 500
        found = [item for response in stream.rest() for item in response.items]
    assert len(found) == 2000
    assert all(list(item.embedding.values) == row.tolist() for item, row in zip(found, expected, strict=True))


def test_few_messages_are_on_their_way_however_small(server: Server) -> None:
    """A stream of single sentences can't take all turns: as many wait at once as of so many callers."""
    before = embedded(server)
    with (
        grpc.insecure_channel(f"127.0.0.1:{server.port}", options=SMALL_WINDOW) as channel,
        Stream(channel) as stream,
    ):
        stream.send(*[request(f"{index} dragons") for index in range(1000)])
        assert settled(server) - before < 150


def test_a_full_server_lets_a_stream_wait(toy_bundle: Bundle, gate: threading.Event) -> None:
    """A stream isn't refused as Embed is: it goes on when there is room, and loses nothing."""
    with serving(toy_bundle, max_queue_tokens=20, selftest_s=0) as server, connected(server) as channel:
        gate.clear()
        with ThreadPoolExecutor(4) as pool, Stream(channel) as stream:
            filling = pool.submit(embed, channel, *["there will be dragons 中"] * 40)
            until(lambda: value(server, "bothends_queue_sentences") > 20)
            stream.send(*[left(*["a man plays the guitar"] * 5) for _ in range(20)])
            with pytest.raises(grpc.RpcError) as raised:
                embed(channel, "a man plays the guitar")
            assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            gate.set()
            assert [len(response.items) for response in stream.rest()] == [5] * 20
            assert len(filling.result(TIMEOUT_S).embeddings) == 40
        until(lambda: value(server, "bothends_refused_requests_total", reason="full") == 1)


def test_a_caller_that_leaves_frees_the_queue(toy_bundle: Bundle, gate: threading.Event) -> None:
    """The places are free at once, while engines still run what they had begun; another call gets them."""
    with (
        serving(toy_bundle, max_concurrent_requests=1, selftest_s=0) as server,
        connected(server) as channel,
        Stream(channel) as stream,
    ):
        gate.clear()
        stream.send(*[left(*["a man"] * 40) for _ in range(10)])
        until(lambda: value(server, "bothends_queue_sentences") >= 64)  # as many as a batch is chosen from are read in
        stream.call.cancel()
        until(lambda: value(server, "bothends_queue_sentences") == 0)
        until(lambda: value(server, "bothends_requests_total", method="EmbedStream", code="CANCELLED") == 1)
        gate.set()
        assert embed(channel, "there").embeddings


def test_a_caller_that_leaves_while_it_waits_for_room_is_forgotten(toy_bundle: Bundle, gate: threading.Event) -> None:
    with serving(toy_bundle, max_queue_tokens=20, selftest_s=0) as server, connected(server) as channel:
        gate.clear()
        with ThreadPoolExecutor(1) as pool:
            filling = pool.submit(embed, channel, *["there will be dragons 中"] * 40)
            until(lambda: value(server, "bothends_queue_sentences") > 20)
            with Stream(channel) as stream:
                stream.send(left(*["a man"] * 5))
                until(lambda: waiting(server))
                stream.call.cancel()
            until(lambda: value(server, "bothends_requests_total", method="EmbedStream", code="CANCELLED") == 1)
            gate.set()
            filling.result(TIMEOUT_S)
        until(lambda: value(server, "bothends_queue_sentences") == 0)
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


def test_streams_take_no_place(toy_bundle: Bundle, gate: threading.Event) -> None:
    """Idle ones keep no other call out, nor do those whose messages wait."""
    with (
        serving(toy_bundle, max_concurrent_requests=1, selftest_s=0) as server,
        connected(server) as channel,
        Stream(channel) as silent,
        Stream(channel) as paused,
        Stream(channel) as waiting,
        ThreadPoolExecutor(1) as pool,
    ):
        paused.send(request("a man"))
        assert paused.receive().items
        gate.clear()
        waiting.send(left("a man"))
        until(
            lambda: (
                value(server, "bothends_phase_seconds_count", model=server.service.embedder.name, phase="tokenise") == 2
            )
        )
        embedded = pool.submit(embed, channel, "there")
        until(
            lambda: (
                value(server, "bothends_phase_seconds_count", model=server.service.embedder.name, phase="tokenise") == 3
            )
        )
        gate.set()
        assert embedded.result(TIMEOUT_S).embeddings
        assert waiting.receive().items
        assert silent.rest() == paused.rest() == []


def test_a_caller_that_reads_nothing_keeps_none_out(toy_bundle: Bundle) -> None:
    with (
        serving(toy_bundle, max_concurrent_requests=1, selftest_s=0) as server,
        connected(server) as other,
        grpc.insecure_channel(f"127.0.0.1:{server.port}", options=SMALL_WINDOW) as channel,
        Stream(channel) as stream,
    ):
        stream.send(*[request(*["a man"] * 50) for _ in range(100)])
        settled(server)
        assert embed(other, "there").embeddings
        assert [len(response.items) for response in stream.rest()] == [50] * 100


def test_a_stopping_server_answers_what_it_read_and_ends_the_stream(toy_bundle: Bundle, gate: threading.Event) -> None:
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
        until(lambda: value(server, "bothends_queue_sentences") == 0)
        gate.clear()
        busy.send(*[left(*["a man"] * 8) for _ in range(100)])
        until(lambda: value(server, "bothends_queue_sentences") > 50)  # workers bring in no more than they soon need
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
        until(lambda: value(server, "bothends_requests_total", method="EmbedStream", code="UNAVAILABLE") == 3)


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
