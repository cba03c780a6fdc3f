"""What a real server logs: its states, a request at debug only, and never a word of a sentence."""

import json
import os
import signal

import pytest

from bothends import Client, SentenceError
from tests.support.serving import finish, start


def test_states_and_requests_are_logged_without_a_sentence() -> None:
    """Standard error is a pipe here, so each line is an object."""
    running = start("--log-level", "debug")
    try:
        with Client(running.target) as client:
            client.encode(["a most secret dragon"])
            with pytest.raises(SentenceError):
                client.encode(["another secret", " "])
        running.process.send_signal(signal.SIGTERM)
        _, errors = running.process.communicate(timeout=20)
    finally:
        finish(running)
    records = [json.loads(line) for line in errors.splitlines()]
    ours = [record for record in records if record["logger"].startswith("bothends")]
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
    assert all(0 < call["seconds"] < 10 for call in calls)
    assert "secret" not in errors


def test_requests_are_silent_by_default() -> None:
    running = start()
    try:
        with Client(running.target) as client:
            client.encode(["a dragon"])
        running.process.send_signal(signal.SIGTERM)
        _, errors = running.process.communicate(timeout=20)
    finally:
        finish(running)
    assert [json.loads(line)["level"] for line in errors.splitlines()] == ["info"] * 3


def test_a_clients_key_is_not_taken_for_a_servers_keys() -> None:
    """One letter between an open server and a closed one: it says which it is, and not the key."""
    running = start(environment=os.environ | {"BOTHENDS_API_KEY": "most-secret"})
    running.process.send_signal(signal.SIGTERM)
    _, errors = running.process.communicate(timeout=20)
    (warning,) = [record for record in map(json.loads, errors.splitlines()) if record["level"] == "warning"]
    assert "this server asks for none" in warning["event"]
    assert "most-secret" not in errors
