"""Other people's clients over HTTP, as their users have them: rows are the bits that our own client gets over gRPC.

On the native transport they speak HTTP/2 too; uvicorn speaks HTTP/1.1 alone.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from bothends import Client
from tests.support.https import speaks_http2
from tests.support.paths import ROOT
from tests.support.serving import Running, sample
from tests.support.until import TIMEOUT_S, until

from .asked import SENTENCES

pytestmark = pytest.mark.slow  # starts other people's clients

CLIENTS = Path(sys.prefix) / "clients"
SCRIPTS = ROOT / "tests" / "clients"
ASKED = SENTENCES[:40]
BODY = json.dumps({"model": "english", "input": ASKED}).encode()
ONE = json.dumps({"model": "english", "input": ASKED[0]}).encode()
COUNTED = 'bothends_requests_total{code="OK",method="POST /v1/embeddings"}'
CALLS = 500


@pytest.fixture(scope="module")
def rows(served: Running) -> np.ndarray:
    """Rows of ASKED as our own client gets them, of unit length, [40, 512]."""
    with Client(served.target) as client:
        return client.embed(ASKED, normalize=True).rows


@pytest.fixture(scope="module")
def http2(served: Running) -> bool:
    """Whether the server speaks HTTP/2 on the port of HTTP."""
    web = urlsplit(served.http)
    return speaks_http2((web.hostname or "", web.port or 0))


def run(*command: str | Path, given: str = "", **environment: str) -> str:
    """Run a program; returns its standard output."""
    done = subprocess.run(
        command,
        input=given,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def wrong(found: dict[str, dict[str, Any]], rows: np.ndarray) -> list[str]:
    """Return which library, in which way, got other rows."""
    return [
        f"{name}, {way}"
        for name, ways in found.items()
        for way, got in ways.items()
        if np.array(got, np.float32).tobytes() != rows.tobytes()
    ]


def test_pythons_libraries(served: Running, rows: np.ndarray, http2: bool) -> None:
    """httpx, aiohttp and requests: kept connections, compressed bodies, chunks, many calls at once."""
    python = CLIENTS / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python} is missing; `make test-slow` installs other people's clients there")
    given = json.dumps({"sentences": ASKED})
    protocols = ["http2"] if http2 else []
    found = json.loads(run(python, "-I", SCRIPTS / "http_libraries.py", f"{served.http}/v1", *protocols, given=given))
    assert set(found) == {"httpx", "aiohttp", "requests", *(["httpx, HTTP/2"] if http2 else [])}
    assert wrong(found, rows) == []


def test_nodes(served: Running, rows: np.ndarray) -> None:
    """Node's fetch, and OpenAI's package for Node, which shows an error as it stands."""
    node, modules = CLIENTS / "bin" / "node", CLIENTS / "node_modules"
    if not (node.exists() and (modules / "openai").exists()):
        pytest.skip(f"openai for Node is missing in {CLIENTS}; `make test-slow` installs it, where Node has a wheel")
    given = json.dumps({"sentences": ASKED})
    found = json.loads(run(node, SCRIPTS / "http_fetch.js", f"{served.http}/v1", given=given, NODE_PATH=str(modules)))
    assert found.pop("refusal") == {"status": 400, "param": "input[1]", "class": "BadRequestError"}
    assert wrong(found, rows) == []


CURLS: dict[str, list[str]] = {
    "HTTP/1.1": ["--http1.1"],
    "HTTP/1.0": ["--http1.0"],
    "HTTP/1.0 that is kept": ["--http1.0", "-H", "Connection: keep-alive"],
    "HTTP/2 if the server offers it": ["--http2"],
    "HTTP/2": ["--http2-prior-knowledge"],
    "a body once it may come": ["-H", "Expect: 100-continue"],
    "a body in chunks": ["-H", "Transfer-Encoding: chunked"],
    "a body in chunks once it may come": ["-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"],
    "a compressed body": ["-H", "Content-Encoding: gzip"],
    "a compressed body over HTTP/2": ["--http2-prior-knowledge", "-H", "Content-Encoding: gzip"],
    "a compressed answer": ["--compressed"],
    "the connection's end": ["-H", "Connection: close"],
}


@pytest.mark.parametrize("way", CURLS)
def test_curls(served: Running, rows: np.ndarray, http2: bool, tmp_path: Path, way: str) -> None:
    """Three requests of one command, on one connection where it is kept."""
    if shutil.which("curl") is None:
        pytest.skip("curl is missing (Debian: apt-get install curl)")
    if "--http2-prior-knowledge" in CURLS[way] and not http2:
        pytest.skip("uvicorn speaks no HTTP/2")
    body, url = tmp_path / "body", f"{served.http}/v1/embeddings"
    body.write_bytes(gzip.compress(BODY) if "compressed body" in way else BODY)
    posting = ["--data-binary", f"@{body}", "-H", "Content-Type: application/json"]
    shown = run(
        "curl", "-sS", "--fail-with-body", "-w", "\n%{http_code} %{num_connects}\n", *CURLS[way], *posting, *[url] * 3
    )
    answers = shown.splitlines()
    statuses = [line.split()[0] for line in answers[1::2]]
    connects = sum(int(line.split()[1]) for line in answers[1::2])
    assert statuses == ["200"] * 3
    got = [[item["embedding"] for item in json.loads(answer)["data"]] for answer in answers[::2]]
    assert wrong({way: dict(enumerate(got))}, rows) == []  # type: ignore[dict-item]
    if way != "HTTP/1.0 that is kept":  # which uvicorn closes, as it may
        assert connects == (3 if way in ("HTTP/1.0", "the connection's end") else 1)


def test_curl_asks_for_a_head_alone(served: Running) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is missing (Debian: apt-get install curl)")
    shown = run("curl", "-sSI", f"{served.http}/healthz", f"{served.http}/healthz").lower()
    assert shown.count("http/1.1 200 ok") == 2
    assert shown.count("content-length: 18") == 2


_AB = ["-q", "-n{calls}", "-c16", "-Tapplication/json", "-p{body}", "{url}"]
_HEY = ["-n", "{calls}", "-c", "10", "-m", "POST", "-T", "application/json", "-D", "{body}", "{url}"]
_H2LOAD = ["-n{calls}", "-d{body}", "-Hcontent-type: application/json", "{url}"]
_COMPLETE, _SUCCEEDED = r"Complete requests: +{calls}\b", "{calls} succeeded, 0 failed, 0 errored, 0 timeout"
LOADS: dict[str, tuple[list[str], str]] = {
    "ab": (["-k", *_AB], _COMPLETE),
    "ab, HTTP/1.0 without more": (_AB, _COMPLETE),
    "hey": (_HEY, r"\[200\]\s+{calls} responses"),
    "h2load, HTTP/1.1": (["--h1", "-c16", "-m4", *_H2LOAD], _SUCCEEDED),
    "h2load, HTTP/2": (["-c4", "-m16", *_H2LOAD], _SUCCEEDED),
}
"""Flags of the programs that measure servers, and what they say where all of so many calls went well."""


@pytest.mark.parametrize("name", LOADS)
def test_no_call_of_a_load_generator_is_lost(served: Running, http2: bool, tmp_path: Path, name: str) -> None:
    """Each counts as many good answers as it asked for, and so does the server."""
    program, (flags, said) = name.partition(",")[0], LOADS[name]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing (Debian: apt-get install apache2-utils hey nghttp2-client)")
    if name == "h2load, HTTP/2" and not http2:
        pytest.skip("uvicorn speaks no HTTP/2")
    body, before = tmp_path / "body", sample(served, COUNTED)
    body.write_bytes(ONE)
    told = {"calls": CALLS, "body": body, "url": f"{served.http}/v1/embeddings"}
    shown = run(program, *(flag.format(**told) for flag in flags))
    assert re.search(said.format(**told), shown), shown
    assert not re.search(r"Non-2xx|Failed requests: +[1-9]|Error distribution", shown), shown
    until(lambda: sample(served, COUNTED) - before == CALLS)
