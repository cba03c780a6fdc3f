"""Keys of calls, which the transport looks up: what it knows of a call's key comes with each of its messages."""

import hashlib
from pathlib import Path
from typing import Any

import grpc
import pytest

from bothends.model.bundle import Bundle
from bothends.server import keys
from bothends.server.grpc.contract import TransportName
from tests.support.doors import connected, embed, put, serving
from tests.support.until import TIMEOUT_S

from .conftest import STREAM, UNARY, Open


def test_a_message_comes_with_its_keys_hash(serve: Open) -> None:
    """A unary call's and a stream's, empty where callers need none; the key stays with the transport."""
    served = serve()
    served.unary(b"open")
    assert [(message.key, message.metadata) for message in served.expect(1)] == [(b"", ())]
    found = hashlib.sha256(b"secret").digest()
    served.transport.set_keys(dict.fromkeys((found, hashlib.sha256(b"other").digest())))
    metadata = (("authorization", "Bearer secret"),)
    served.unary(b"keyed", metadata=metadata)
    begin = served.channel.stream_stream(STREAM, bytes, bytes)
    served.keep(begin(iter([b"streamed"]), timeout=TIMEOUT_S, metadata=metadata))
    messages = served.expect(2)
    assert {message.content for message in messages} == {b"keyed", b"streamed"}
    assert [(message.key, message.metadata) for message in messages] == [(found, ())] * 2
    strange = served.unary(b"strange", method=UNARY, metadata=[("authorization", "Bearer secrets")])
    assert strange.exception(timeout=TIMEOUT_S).code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_key_is_hashed_once(
    english: Bundle, name: TransportName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the transport that the call came to: neither what begins requests together nor dispatch does it again."""
    key, entry = keys.new("one")
    put(tmp_path / "keys.toml", entry.encode())
    hashed, sha256 = [], hashlib.sha256

    def counted(content: bytes = b"", **options: Any) -> Any:
        hashed.append(content)
        return sha256(content, **options)

    with (
        serving(english, api_keys=tmp_path / "keys.toml", transport=name) as server,
        connected(server) as channel,
    ):
        monkeypatch.setattr(hashlib, "sha256", counted)
        for sentences in (["a man"], ["a man"] * 16, ["a man"] * 32):
            embed(channel, *sentences, key=key)
    assert hashed.count(key.encode()) == (0 if name == "native" else 3)
