"""Logs of a real server: its states, a request at debug only, and never a word of a sentence or a key."""

import json
import os
import signal

import grpc
import httpx

from bothends import Client
from bothends.v1.embedding_pb2 import EmbedRequest
from bothends.wire.messages import SERVICE
from tests.support.serving import finish, start

from .conftest import PARENT, TRACE, Reported


def test_states_and_requests_are_logged_without_a_sentence(reported: Reported) -> None:
    """Each line is an object, where standard error is no terminal."""
    ours = [record for record in reported.records if record["logger"].startswith("bothends")]
    assert [record["event"].split(":")[0] for record in ours if record["level"] == "info"] == [
        "serving",
        "draining",
        "stopped",
    ]
    calls = [record for record in ours if record["event"] == "request"]
    assert [(call["method"], call["code"], call["refused"]) for call in calls if call["method"] == "Embed"] == [
        ("Embed", "OK", None),
        ("Embed", "INVALID_ARGUMENT", "invalid"),
    ]
    assert all(call["seconds"] > 0 for call in calls)
    assert "secret" not in reported.log


def test_requests_and_keys_are_not_logged_by_default() -> None:
    """A client's key isn't taken for a server's keys: the log says that this server asks for none, and not the key."""
    running = start(environment=os.environ | {"BOTHENDS_API_KEY": "most-secret"})
    try:
        with Client(running.target) as client:
            client.encode(["a dragon"])
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "most-secret", "baggage": "most-secret,,"}
        for accepted in ("english", "unknown"):
            httpx.post(
                f"{running.http}/v1/embeddings", json={"model": accepted, "input": "a"}, headers=headers, timeout=60
            )
        with grpc.insecure_channel(running.target) as channel:
            content = EmbedRequest(sentences=["a"]).SerializeToString()
            channel.unary_unary(f"/{SERVICE}/Embed", bytes, bytes)(content, metadata=tuple(headers.items()), timeout=60)
        running.process.send_signal(signal.SIGTERM)
        _, errors = running.process.communicate(timeout=60)
    finally:
        finish(running)
    records = [json.loads(line) for line in errors.splitlines()]
    assert sorted(record["level"] for record in records) == ["info"] * 3 + ["warning"]
    (warning,) = [record for record in records if record["level"] == "warning"]
    assert "this server asks for none" in warning["event"]
    assert "most-secret" not in errors
    assert "dragon" not in errors
