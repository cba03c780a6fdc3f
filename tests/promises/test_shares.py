"""Shares of keys over real connections: one count over all doors, which slows no call down."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from bothends.errors import QuotaError
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.server.quota import KeyAccount
from bothends.server.server import Server
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support import streams
from tests.support.doors import connected, embed, put, serving
from tests.support.until import TIMEOUT_S

SLOW_PER_S = 0.01
"""Sentences a second of one key: so few that no test outlasts a refusal."""
LIMITS = {
    "free": "",
    "wide": "concurrent_sentences = 300\nsentences_per_s = 1e6",
    "slow": f"sentences_per_s = {SLOW_PER_S}",
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A key for each of `LIMITS`, and the file that has them, as `file`."""
    made = {name: new(name) for name in LIMITS}
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    put(file, "".join(f"{entry}{LIMITS[name]}\n" for name, (_, entry) in made.items()).encode())
    return {name: key for name, (key, _) in made.items()} | {"file": str(file)}


@pytest.fixture(scope="module")
def guarded(english: Bundle, keys: dict[str, str]) -> Iterator[Server]:
    with serving(english, api_keys=Path(keys["file"])) as server:
        yield server


@pytest.fixture
def channel(guarded: Server) -> Iterator[grpc.Channel]:
    with connected(guarded) as own:
        yield own


def test_a_share_is_counted_without_python(
    guarded: Server, channel: grpc.Channel, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the native transport serves, a key with a share is as quick as any other: its calls never come here."""
    if guarded.transport != "native":
        pytest.skip("grpcio's calls are Python's")
    monkeypatch.setattr(KeyAccount, "take_share", None)
    for name in ("wide", "free"):
        assert len(embed(channel, "a", "man", key=keys[name]).embeddings) == 2


def test_a_share_is_one_whatever_the_door(guarded: Server, channel: grpc.Channel, keys: dict[str, str]) -> None:
    """What was had over gRPC is missing over HTTP, and for a stream; other keys never notice."""
    embed(channel, *["a"] * 8, key=keys["slow"])
    assert 100 < int(post(guarded, keys["slow"], 429).headers["Retry-After"]) <= 8 / SLOW_PER_S
    with pytest.raises(grpc.RpcError) as raised:
        stream(channel, keys["slow"])
    assert isinstance(streams.error_of(raised.value), QuotaError)
    for name in ("wide", "free"):
        post(guarded, keys[name], 200)
        assert len(stream(channel, keys[name])) == 1


def post(server: Server, key: str, status: int) -> httpx.Response:
    answer = httpx.post(
        f"http://127.0.0.1:{server.http_port}/v1/embeddings",
        json={"input": "a", "model": "english"},
        headers={"Authorization": f"Bearer {key}"},
        timeout=TIMEOUT_S,
    )
    assert answer.status_code == status, answer.text
    return answer


def stream(channel: grpc.Channel, key: str) -> list[embedding_pb2.EmbedStreamResponse]:
    stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
    request = embedding_pb2.EmbedStreamRequest(sentences=["a"])
    return list(stub.EmbedStream(iter([request]), metadata=[("authorization", f"Bearer {key}")], timeout=TIMEOUT_S))
