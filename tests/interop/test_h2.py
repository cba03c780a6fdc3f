"""nghttp and h2load, which know HTTP/2 and no gRPC: frames as the test writes them, and many calls at once."""

import gzip
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bothends.v1.embedding_pb2 import EmbedRequest
from tests.support.serving import Running, answered
from tests.support.until import TIMEOUT_S, until

from .asked import CONCURRENT, EMBED, SENTENCES, framed, rows_of, unframed

pytestmark = pytest.mark.slow  # starts other people's clients

Ask = Callable[..., bytes]
"""Path, body, flags and more headers to what nghttp prints: the answer's body, unless flags say otherwise."""


def run(program: str, *arguments: str | Path) -> bytes:
    """Run a program of nghttp2-client, or skip; returns its standard output."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing (Debian: apt-get install nghttp2-client)")
    return subprocess.run([program, *arguments], capture_output=True, check=True, timeout=TIMEOUT_S).stdout


def call(body: Path, **headers: str) -> list[str | Path]:
    """Return the flags of a gRPC call that sends `body`."""
    named = {"content-type": "application/grpc", "te": "trailers"} | headers
    return ["-d", body, *(f"-H{name.replace('_', '-')}: {value}" for name, value in named.items())]


@pytest.fixture
def ask(served: Running, tmp_path: Path) -> Ask:
    """Makes a call with nghttp."""

    def make(path: str, body: bytes, *flags: str, **headers: str) -> bytes:
        file = tmp_path / "body"
        file.write_bytes(body)
        return run("nghttp", *flags, *call(file, **headers), f"http://{served.target}{path}")

    return make


def trailers(ask: Ask, path: str, body: bytes, **headers: str) -> dict[str, str]:
    """Make a call, and return all headers that came back; the later of two counts."""
    shown = re.sub(r"\x1b\[[0-9;]*m", "", ask(path, body, "-nv", **headers).decode())  # without colours
    return dict(re.findall(r"recv \(stream_id=\d+\) (:?[^\s:]+): (.*)", shown))


def test_a_call_is_answered_bit_for_bit(ask: Ask, expected: np.ndarray) -> None:
    """One request of all sentences, plain and compressed; gRPC's own headers and trailers stand around the answer."""
    request = EmbedRequest(sentences=SENTENCES)
    packed = framed(gzip.compress(request.SerializeToString()), compressed=True)
    for body, headers in ((framed(request), {}), (packed, {"grpc_encoding": "gzip"})):
        (response,) = unframed(ask(EMBED, body, **headers))
        assert rows_of(response).tobytes() == expected.tobytes()
        found = trailers(ask, EMBED, body, **headers)
        assert (found[":status"], found["content-type"], found["grpc-status"]) == ("200", "application/grpc", "0")


def test_no_call_of_many_is_lost(served: Running, tmp_path: Path) -> None:
    """h2load keeps 200 calls open on four connections, of which each is answered well, as the server counts too."""
    body, before = tmp_path / "body", answered(served)
    body.write_bytes(framed(EmbedRequest(sentences=SENTENCES[:1])))
    flags = ["-n", "2000", "-c", "4", "-m", str(CONCURRENT // 4)]
    shown = run("h2load", *flags, *call(body), f"http://{served.target}{EMBED}").decode()
    done = "2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout"
    assert f"requests: {done}" in shown, shown
    until(lambda: answered(served) - before == 2000)
