"""A real server logs what its transport has decided: when SIGUSR1 comes, and at debug as it is."""

import json
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

pytest.importorskip("bothends_native.transport", reason="events are the native transport's", exc_type=ImportError)

from bothends.server.event_log import EventLog, network_of
from bothends.server.keys import new
from bothends.v1.embedding_pb2 import EmbedRequest
from bothends.wire.messages import SERVICE
from tests.support.doors import ALONE
from tests.support.events import LOGGER, counted, events_of
from tests.support.serving import Running, finish, start
from tests.support.until import until

SENTENCE = "dragonflies"
UNKNOWN = "most-secret-key"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers that log into a file."""
    started: list[Running] = []

    def make(*flags: str) -> Running:
        started.append(start(*flags, log=tmp_path / "log"))
        return started[-1]

    yield make
    for running in started:
        finish(running)


def embed(running: Running, key: str | None) -> grpc.StatusCode:
    """Ask for one sentence; returns the status."""
    with grpc.insecure_channel(running.target, options=ALONE) as channel:
        method = channel.unary_unary(f"/{SERVICE}/Embed", bytes, bytes)
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        content = EmbedRequest(sentences=[SENTENCE]).SerializeToString()
        try:
            return method.with_call(content, metadata=metadata, timeout=60)[1].code()
        except grpc.RpcError as error:
            return error.code()


@pytest.mark.slow
def test_a_signal_has_the_last_events_logged(serve: Callable[..., Running], tmp_path: Path) -> None:
    """At every level: who came, who was refused and why, with their network, and no sentence, key or port of theirs."""
    key, entry = new("someone")
    (tmp_path / "keys.toml").write_text(entry, encoding="utf-8")
    running = serve("--api-keys", str(tmp_path / "keys.toml"), "--log-level", "error")
    refused = grpc.StatusCode.UNAUTHENTICATED
    assert [embed(running, each) for each in (key, None, None, UNKNOWN)] == [grpc.StatusCode.OK, *[refused] * 3]
    assert httpx.post(f"{running.http}/embed", json={"inputs": SENTENCE}).status_code == 401
    lines = events_of(running)
    found = counted(lines)
    assert found["call_refused no_key"] == 3
    assert found["call_refused unknown_key"] == 1
    assert found["accepted"] >= 5
    assert {line["network"] for line in lines} == {"127.0.0.1"}
    without = {line["listener"]: line for line in lines if line["reason"] == "no_key"}
    assert {listener: line["count"] for listener, line in without.items()} == {"gRPC": 2, "HTTP": 1}
    twice = without["gRPC"]
    assert twice["event"] == "A call was refused. The call has no key."
    assert twice["first"] <= twice["last"] <= twice["time"]
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert not [secret for secret in (SENTENCE, UNKNOWN, key) if secret in log]


def test_events_are_logged_at_debug_as_they_come(serve: Callable[..., Running], tmp_path: Path) -> None:
    """Nobody has to ask, and each is told once, the last closed connection too."""
    running = serve("--log-level", "debug")
    assert embed(running, None) is grpc.StatusCode.OK

    def kinds() -> list[str]:
        records = [json.loads(line) for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
        return [record["kind"] for record in records if record["logger"] == LOGGER and record["level"] == "debug"]

    until(lambda: {"accepted", "left"} <= set(kinds()))
    with grpc.insecure_channel(running.target) as channel:
        grpc.channel_ready_future(channel).result(60)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 0
    assert kinds()[-1] in ("stopped", "left")


@pytest.mark.slow
def test_a_transport_without_events_says_that_there_are_none(serve: Callable[..., Running]) -> None:
    assert events_of(serve("--transport", "grpcio")) == []


def test_nothing_is_asked_for_where_nobody_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    """Debug that isn't on costs no look at the transport."""
    asked: list[Any] = []

    def events(**options: bool) -> list[Any]:
        asked.append(options)
        return []

    log = EventLog(events)
    for level in (logging.INFO, logging.DEBUG):
        with caplog.at_level(level, logger=LOGGER):
            log.follow()
    assert asked == [{"are_new": True}]


@pytest.mark.parametrize(
    ("prefix", "written"),
    [
        (bytes([203, 0, 113, 7]), "203.0.113.7"),
        (bytes.fromhex("20010db800010002"), "2001:db8:1:2::/64"),
        (b"", "none"),
    ],
)
def test_a_network_is_written_as_people_write_it(prefix: bytes, written: str) -> None:
    assert network_of(prefix) == written
