"""What bounds a stream and what it waits for: a slow reader, a full server, a key's share, other callers, the end."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from bothends import Client, DrainingError, OverloadedError, RequestError, Retry, UnauthenticatedError
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.server.server import Server
from bothends.wire.status import from_status
from tests.support.doors import AT_ONCE_S, TIMEOUT_S, code_of, connected, embed, put, serving
from tests.support.engines import Clock, until
from tests.support.streams import Stream, request

LONG_S = 60.0
"""Longer than a test takes: only the clock of slow callers reaches it."""


def value(server: Server, name: str, **labels: str) -> float:
    return server.metrics.registry.get_sample_value(name, labels) or 0.0


def embedded(server: Server) -> float:
    return value(server, "bothends_sentence_tokens_count")


def settled(server: Server) -> float:
    """Count the sentences embedded, once no more are. A slow machine proves less by it, and fails nothing."""
    while True:
        before = embedded(server)
        time.sleep(0.3)
        if embedded(server) == before > 0:
            return before


def test_who_reads_nothing_is_read_no_further(server: Server) -> None:
    """A window of sentences is embedded and no more, whatever is sent; then all comes, in order, and right."""
    options = [("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1)]  # 64 kB go, the rest waits
    sentences = [f"{place} dragons will be there" for place in range(2000)]
    with Client(f"127.0.0.1:{server.port}") as client:
        expected = client.encode(sentences)
    before = embedded(server)
    with (
        grpc.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel,
        Stream(channel, timeout=None) as stream,
    ):
        stream.send(*[request(*sentences[start : start + 50]) for start in range(0, 2000, 50)])
        assert settled(server) - before < 500
        found = [item for response in stream.rest() for item in response.items]
    assert len(found) == 2000
    assert all(list(item.embedding.values) == row.tolist() for item, row in zip(found, expected, strict=True))


def test_few_messages_are_on_their_way_however_small(server: Server) -> None:
    """So a stream of single sentences can't take all turns: as many wait at once as of so many callers."""
    options = [("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1)]
    before = embedded(server)
    with (
        grpc.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel,
        Stream(channel) as stream,
    ):
        stream.send(*[request(f"{place} dragons") for place in range(1000)])
        assert settled(server) - before < 150


def test_a_full_server_lets_a_stream_wait(toy_bundle: Bundle, gate: threading.Event) -> None:
    """Where Embed is refused, a stream isn't: it goes on when there is room, and loses nothing."""
    with serving(toy_bundle, max_queue_tokens=20, selftest_s=0) as server, connected(server) as channel:
        gate.clear()
        with ThreadPoolExecutor(4) as pool, Stream(channel) as stream:
            filling = pool.submit(embed, channel, *["there will be dragons"] * 40)
            until(lambda: value(server, "bothends_queue_sentences") > 20)
            stream.send(*[request(*["a man plays the guitar"] * 5) for _ in range(20)])
            with pytest.raises(grpc.RpcError) as raised:
                embed(channel, "a man plays the guitar")
            assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            gate.set()
            assert [len(response.items) for response in stream.rest()] == [5] * 20
            assert len(filling.result(TIMEOUT_S).embeddings) == 40
        assert value(server, "bothends_refused_requests_total", reason="full") == 1


def test_who_leaves_frees_the_queue(toy_bundle: Bundle, gate: threading.Event) -> None:
    """At once, while engines still run what they had begun; and his place is another's."""
    with (
        serving(toy_bundle, max_concurrent_requests=1, selftest_s=0) as server,
        connected(server) as channel,
        Stream(channel) as stream,
    ):
        gate.clear()
        stream.send(*[request(*["a man"] * 40) for _ in range(10)])
        until(lambda: value(server, "bothends_queue_sentences") > 200)
        stream.call.cancel()
        until(lambda: value(server, "bothends_queue_sentences") == 0)
        assert value(server, "bothends_requests_total", method="EmbedStream", code="CANCELLED") == 1
        gate.set()
        assert embed(channel, "there").embeddings


def test_who_leaves_while_he_waits_for_room_is_forgotten(toy_bundle: Bundle, gate: threading.Event) -> None:
    with serving(toy_bundle, max_queue_tokens=20, selftest_s=0) as server, connected(server) as channel:
        gate.clear()
        with ThreadPoolExecutor(1) as pool:
            filling = pool.submit(embed, channel, *["there will be dragons"] * 40)
            until(lambda: value(server, "bothends_queue_sentences") > 20)
            with Stream(channel) as stream:
                stream.send(request(*["a man"] * 5))
                until(lambda: any(session.window for session in server.streams.sessions))
                stream.call.cancel()
            until(lambda: value(server, "bothends_requests_total", method="EmbedStream", code="CANCELLED") == 1)
            gate.set()
            filling.result(TIMEOUT_S)
        until(lambda: value(server, "bothends_queue_sentences") == 0)
        assert embedded(server) == 40


def test_a_stream_with_nothing_to_do_gives_way(toy_bundle: Bundle, patience: Clock) -> None:
    """Before its first message or after some: when another call needs its place and it was idle for long."""
    with (
        serving(toy_bundle, max_concurrent_requests=2, handshake_s=LONG_S, selftest_s=0) as server,
        connected(server) as channel,
        Stream(channel) as silent,
    ):

        def finds_a_place() -> bool:
            return code_of(lambda: embed(channel, "there")) == grpc.StatusCode.OK

        def finds_a_place_later() -> bool:
            patience.now += 0.4 * LONG_S
            return finds_a_place()

        until(lambda: len(server.streams.sessions) == 1)
        with Stream(channel) as paused:
            paused.send(request("a man"))
            assert paused.receive().items
            assert not finds_a_place()  # two are inside
            patience.now += 0.9 * LONG_S
            assert not finds_a_place()
            paused.send(request("a man"))
            assert paused.receive().items
            until(finds_a_place_later)
            error = silent.end()
            assert isinstance(error, OverloadedError)
            assert f"sent or read nothing for {LONG_S:g} s" in str(error)
            paused.send(request("a man"))
            assert paused.receive().items  # a stream that had something to do stays
            assert finds_a_place()
            with Stream(channel):
                until(lambda: len(server.streams.sessions) == 2)
                assert not finds_a_place()
                until(finds_a_place_later)
                assert isinstance(paused.end(), OverloadedError)  # it had paused for longer than the other


def test_a_caller_that_reads_nothing_gives_way_too(toy_bundle: Bundle, patience: Clock) -> None:
    """However much it has asked for; what was on its way is still there to read."""
    options = [("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1)]
    with (
        serving(toy_bundle, max_concurrent_requests=1, handshake_s=LONG_S, selftest_s=0) as server,
        connected(server) as other,
        grpc.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel,
        Stream(channel) as stream,
    ):
        stream.send(*[request(*["a man"] * 50) for _ in range(100)])
        settled(server)
        patience.now += LONG_S
        until(lambda: code_of(lambda: embed(other, "there")) == grpc.StatusCode.OK)
        found, error = stream.to_the_end()
        assert isinstance(error, OverloadedError)
        assert all(len(response.items) == 50 for response in found)


def test_a_stream_that_waits_for_the_engine_is_not_idle(
    toy_bundle: Bundle, gate: threading.Event, patience: Clock
) -> None:
    """However long its answer takes."""
    with (
        serving(toy_bundle, max_concurrent_requests=1, handshake_s=LONG_S, selftest_s=0) as server,
        connected(server) as channel,
        Stream(channel) as stream,
    ):
        gate.clear()
        stream.send(request("a man"))
        until(lambda: value(server, "bothends_phase_seconds_count", phase="tokenise") == 1)
        patience.now += 5 * LONG_S
        assert code_of(lambda: embed(channel, "there")) == grpc.StatusCode.RESOURCE_EXHAUSTED
        gate.set()
        assert stream.rest()[0].items[0].HasField("embedding")


class Door:
    """A file of keys, some of which may go."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.keys: dict[str, str] = {}
        self._entries: dict[str, str] = {}
        for name, limits in (("free", ""), ("narrow", "concurrent_sentences = 10"), ("slow", "sentences_per_s = 20")):
            self.keys[name], entry = new(name)
            self._entries[name] = f"{entry}{limits}\n"
        self.write()

    def write(self, *, without: str = "") -> None:
        put(self.file, "".join(entry for name, entry in self._entries.items() if name != without).encode())


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "keys.toml")


@pytest.fixture
def guarded(toy_bundle: Bundle, door: Door) -> Iterator[Server]:
    with serving(toy_bundle, api_keys=door.file, reload_s=AT_ONCE_S, selftest_s=0) as server:
        yield server


def test_without_a_known_key_there_is_no_stream(guarded: Server) -> None:
    with connected(guarded) as channel:
        for key in (None, "wrong"):
            with Stream(channel, key=key) as stream:
                assert isinstance(stream.end(), UnauthenticatedError)


def test_a_withdrawn_key_ends_its_stream_after_what_was_read(guarded: Server, door: Door) -> None:
    """However long it has been open."""
    with connected(guarded) as channel, Stream(channel, key=door.keys["free"]) as stream:
        stream.send(request("a man"))
        assert stream.receive().items
        door.write(without="free")
        stream.send(request("a man"))
        assert isinstance(stream.end(), UnauthenticatedError)
    assert value(guarded, "bothends_requests_total", method="EmbedStream", code="UNAUTHENTICATED") == 1


def test_a_stream_waits_for_its_keys_share(guarded: Server, door: Door, gate: threading.Event) -> None:
    """Of sentences at once: it has never more in progress than it may, and gets all; afterwards nothing is in use."""
    assert guarded.service.keys is not None
    account = guarded.service.keys.identify(f"Bearer {door.keys['narrow']}")
    assert account is not None
    with connected(guarded) as channel, Stream(channel, key=door.keys["narrow"]) as stream:
        gate.clear()
        stream.send(*[request(*["a man"] * 4) for _ in range(10)])
        until(lambda: account.in_progress == 8)
        gate.set()
        assert [len(response.items) for response in stream.rest()] == [4] * 10
        until(lambda: account.in_progress == 0)
    with connected(guarded) as channel, Stream(channel, key=door.keys["narrow"]) as stream:
        stream.send(request(*["a man"] * 11), request("a man"))
        wrong, right = stream.rest()
        assert {type(from_status(item.error)) for item in wrong.items} == {RequestError}
        assert "more than this key's limit of 10" in wrong.items[0].error.message
        assert right.items[0].HasField("embedding")


def test_sentences_a_second(guarded: Server, door: Door) -> None:
    """20 may come at once, and 20 debt is paid in a second: the stream takes its time and loses nothing."""
    with connected(guarded) as channel, Stream(channel, key=door.keys["slow"]) as stream:
        started = time.monotonic()
        stream.send(*[request(*["a man"] * 20) for _ in range(3)])
        assert [len(response.items) for response in stream.rest()] == [20] * 3
        assert time.monotonic() - started >= 1


def test_a_share_is_given_back_by_who_leaves(guarded: Server, door: Door, gate: threading.Event) -> None:
    assert guarded.service.keys is not None
    account = guarded.service.keys.identify(f"Bearer {door.keys['narrow']}")
    assert account is not None
    with connected(guarded) as channel, Stream(channel, key=door.keys["narrow"]) as stream:
        gate.clear()
        stream.send(*[request(*["a man"] * 4) for _ in range(3)])
        until(lambda: account.in_progress == 8)
        stream.call.cancel()
        until(lambda: account.in_progress == 0)
        gate.set()


def test_a_stopping_server_answers_what_it_read_and_ends_the_stream(toy_bundle: Bundle, gate: threading.Event) -> None:
    """And nobody else's stream holds it up: neither one that is idle nor one that never began."""
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
        busy.send(*[request(*["a man"] * 8) for _ in range(100)])
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
        assert value(server, "bothends_requests_total", method="EmbedStream", code="UNAVAILABLE") == 3


def test_a_stopping_server_does_not_wait_for_a_share(guarded: Server, door: Door) -> None:
    """What waits for a key's share was never accepted: it can be sent elsewhere."""
    with connected(guarded) as channel, Stream(channel, key=door.keys["slow"]) as stream:
        stream.send(request(*["a man"] * 100), request("a man"), request("a man"))
        assert stream.receive().items
        guarded.streams.drain()
        assert isinstance(stream.end(), DrainingError)


def test_a_stream_that_begins_while_the_server_stops_is_told(toy_bundle: Bundle) -> None:
    with (
        serving(toy_bundle, selftest_s=0) as server,
        connected(server) as channel,
        Client(f"127.0.0.1:{server.port}", retry=Retry(attempts=1)) as client,
    ):
        server.streams.drain()  # as in the moment before the gate closes
        with Stream(channel) as stream:
            assert isinstance(stream.end(), DrainingError)
        with pytest.raises(DrainingError):
            list(client.encode_stream(["a man"]))
