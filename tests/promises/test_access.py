"""Access over real connections: a key that is missing or revoked, and another's share."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bothends.errors import QuotaError, RequestError, UnauthenticatedError
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.server.server import Server
from bothends.server.usage import Usage
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support.doors import AT_ONCE_S, code_of, connected, embed, put, serving
from tests.support.gate import Gate
from tests.support.streams import error_by
from tests.support.until import TIMEOUT_S, until

LONG = ["word " * 250] * 300
"""Sentences of seconds of work for the model."""


class Door:
    """A server that asks for keys, and its file of them."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "keys.toml"
        self.entries: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        for name, limits in (
            ("free", ""),
            ("narrow", "concurrent_sentences = 300"),
            ("revoked", ""),
        ):
            self.keys[name], entry = new(name)
            self.entries[name] = f"{entry}{limits}\n"
        self.write()

    def write(self, *, without: str = "") -> None:
        put(self.file, "".join(entry for name, entry in self.entries.items() if name != without).encode())


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Door:
    return Door(tmp_path_factory.mktemp("door"))


@pytest.fixture(scope="module")
def guarded(english: Bundle, door: Door) -> Iterator[Server]:
    """The packaged model behind keys."""
    with serving(english, api_keys=door.file, reload_s=AT_ONCE_S, metrics="keys", max_sentences=400) as server:
        yield server


@pytest.fixture
def channel(guarded: Server) -> Iterator[grpc.Channel]:
    with connected(guarded) as own:
        yield own


def test_refusals_are_counted(guarded: Server, channel: grpc.Channel, door: Door) -> None:
    def counted() -> float | None:
        return guarded.metrics.registry.get_sample_value(
            "bothends_refused_requests_total", {"reason": "unauthenticated"}
        )

    before = counted()
    error_by(lambda: embed(channel, "a"))
    embed(channel, "a", key=door.keys["free"])
    assert before is not None
    until(lambda: counted() == before + 1)  # after the caller has the refusal


def test_a_revoked_key_is_refused_once_its_file_is_read(channel: grpc.Channel, door: Door) -> None:
    """A withdrawn key is refused on a connection that used it, and other keys aren't; given back, it is soon known."""

    def code() -> grpc.StatusCode:
        return code_of(lambda: embed(channel, "a", key=door.keys["revoked"]))

    assert code() == grpc.StatusCode.OK
    door.write(without="revoked")
    try:
        until(lambda: code() == grpc.StatusCode.UNAUTHENTICATED)
        assert isinstance(error_by(lambda: embed(channel, "a", key=door.keys["revoked"])), UnauthenticatedError)
        embed(channel, "a", key=door.keys["free"])
    finally:
        door.write()
    until(lambda: code() == grpc.StatusCode.OK)


def test_a_call_without_a_key_is_refused_before_its_request_is_read(channel: grpc.Channel) -> None:
    """The answer comes though the request hasn't been sent."""
    never = threading.Event()

    def request() -> Iterator[bytes]:
        never.wait(TIMEOUT_S)
        yield b""

    call: Any = channel.stream_unary("/bothends.v1.EmbeddingService/Embed", bytes, bytes).future(request())
    assert call.exception(timeout=TIMEOUT_S).code() == grpc.StatusCode.UNAUTHENTICATED
    never.set()


def test_health_needs_no_key(guarded: Server, channel: grpc.Channel) -> None:
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    for page in ("healthz", "readyz"):
        assert http(guarded, page) == (200, None)


def test_metrics_open_and_off(toy_bundle: Bundle) -> None:
    for access, status in (("open", 200), ("off", 404)):
        with serving(toy_bundle, metrics=access) as server:
            assert http(server, "metrics")[0] == status


def test_more_at_once_than_a_key_may_ever_have_is_the_callers_mistake(channel: grpc.Channel, door: Door) -> None:
    error = error_by(lambda: embed(channel, *["a"] * 301, key=door.keys["narrow"]))
    assert isinstance(error, RequestError)
    assert error.field == "sentences"
    assert "301 sentences are more than this key's limit of 300 at once" in str(error)
    assert len(embed(channel, *["a"] * 300, key=door.keys["narrow"]).embeddings) == 300


def test_the_model_has_the_limit_of_the_callers_own_key(channel: grpc.Channel, door: Door) -> None:
    stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
    for name, most in (("narrow", 300), ("free", 400)):
        answer = stub.GetModel(
            embedding_pb2.GetModelRequest(), metadata=(("authorization", f"Bearer {door.keys[name]}"),)
        )
        assert answer.model.max_sentences == most


@pytest.mark.parametrize(
    "end",
    [
        "answered",
        "failed",
        "cancelled",
        pytest.param("late", marks=pytest.mark.timing),
    ],  # late: its deadline is a second
)
def test_a_share_is_given_back_however_a_call_ends(
    guarded: Server, channel: grpc.Channel, door: Door, gate: Gate, end: str
) -> None:
    """A key is full while the call is in progress; after it, all of its share is free, and no more than all."""
    key = door.keys["narrow"]
    metadata = (("authorization", f"Bearer {key}"),)
    stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
    account = usage_of(guarded, key)
    if end == "answered":
        embed(channel, *["a"] * 300, key=key)
    elif end == "failed":
        assert isinstance(error_by(lambda: embed(channel, *["a"] * 299, "", key=key)), RequestError)
    else:
        gate.clear()
        timeout = 600 if end == "cancelled" else 1
        call = stub.Embed.future(embedding_pb2.EmbedRequest(sentences=LONG), metadata=metadata, timeout=timeout)
        until(lambda: account.in_progress == len(LONG))
        assert isinstance(error_by(lambda: embed(channel, *["a"] * 300, key=key)), QuotaError)
        if guarded.transport == "native":  # elsewhere engines stand still for all
            embed(channel, "a", key=door.keys["free"])
        if end == "cancelled":
            call.cancel()
        until(lambda: account.in_progress == 0)
        gate.set()
    assert len(embed(channel, *["a"] * 300, key=key).embeddings) == 300
    assert isinstance(error_by(lambda: embed(channel, *["a"] * 301, key=key)), RequestError)


def usage_of(server: Server, key: str) -> Usage:
    """The count of a key's share, whatever counts it."""
    assert server.service.keys is not None
    return server.service.keys.identify(f"Bearer {key}").usage


def http(server: Server, page: str, authorization: str | None = None) -> tuple[int, str | None]:
    """Fetch a page: its status and WWW-Authenticate."""
    headers = {"Authorization": authorization} if authorization else {}
    answer = httpx.get(f"http://127.0.0.1:{server.http_port}/{page}", headers=headers, timeout=TIMEOUT_S)
    return answer.status_code, answer.headers.get("WWW-Authenticate")
