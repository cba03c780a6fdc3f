"""Streams of callers with keys: the key is asked for again and again, and its share bounds what is in progress."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from bothends import DrainingError, RequestError, UnauthenticatedError
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.server.server import Server
from bothends.wire.status import from_status
from tests.support.doors import AT_ONCE_S, code_of, connected, embed, put, serving
from tests.support.gate import Gate
from tests.support.measured import sample
from tests.support.streams import Stream, request
from tests.support.until import until


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


def test_a_withdrawn_key_ends_its_stream_after_what_was_read(guarded: Server, door: Door) -> None:
    """The stream ends, however long it has been open."""
    with connected(guarded) as channel, Stream(channel, key=door.keys["free"]) as stream:
        stream.send(request("a man"))
        assert stream.receive().items
        door.write(without="free")
        refused = grpc.StatusCode.UNAUTHENTICATED
        until(lambda: code_of(lambda: embed(channel, "a man", key=door.keys["free"])) == refused)
        stream.send(request("a man"))
        assert isinstance(stream.end(), UnauthenticatedError)
    until(lambda: sample(guarded, "bothends_requests_total", method="EmbedStream", code="UNAUTHENTICATED") == 1)


def test_a_stream_waits_for_its_keys_share(guarded: Server, door: Door, gate: Gate) -> None:
    """The stream never has more sentences in progress than it may, and gets all; afterwards nothing is in use."""
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


def test_a_caller_that_leaves_gives_its_share_back(guarded: Server, door: Door, gate: Gate) -> None:
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


def test_a_stopping_server_does_not_wait_for_a_share(guarded: Server, door: Door) -> None:
    """A message that waits for a key's share was never accepted: it can be sent elsewhere."""
    with connected(guarded) as channel, Stream(channel, key=door.keys["slow"]) as stream:
        stream.send(*[request(*["a man"] * 100) for _ in range(3)])  # the second waits for 5 s: longer than a pause
        assert stream.receive().items
        for streams in guarded.streams:
            streams.drain()
        assert isinstance(stream.end(), DrainingError)
