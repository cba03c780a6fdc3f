"""Runs other people's clients over HTTP, and says what they got: Python's libraries, Node's, curl, load generators."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.paths import ROOT
from tests.support.until import TIMEOUT_S

from .asked import SENTENCES

CLIENTS = Path(sys.prefix) / "clients"
SCRIPTS = ROOT / "tests" / "clients"
ASKED = SENTENCES[:40]
BODY = json.dumps({"model": "english", "input": ASKED}).encode()
ONE = json.dumps({"model": "english", "input": ASKED[0]}).encode()
CALLS = 500

Ways = dict[str, Any]
"""What one library got, by the way in which it asked."""


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


def wrong(found: dict[str, Ways], rows: np.ndarray) -> list[str]:
    """Return which library, in which way, got other rows."""
    return [
        f"{name}, {way}"
        for name, ways in found.items()
        for way, got in ways.items()
        if np.array(got, np.float32).tobytes() != rows.tobytes()
    ]


def by_python(url: str, *protocols: str) -> dict[str, Ways]:
    """Embed ASKED by httpx, aiohttp and requests: kept connections, compressed bodies, chunks, many calls at once."""
    given = json.dumps({"sentences": ASKED})
    found: dict[str, Ways] = json.loads(
        run(_python(), "-I", SCRIPTS / "http_libraries.py", f"{url}/v1", *protocols, given=given)
    )
    assert set(found) == {"httpx", "aiohttp", "requests", *(["httpx, HTTP/2"] if protocols else [])}
    return found


def by_node(url: str) -> tuple[dict[str, Ways], dict[str, Any]]:
    """Embed ASKED by Node's fetch and OpenAI's package for Node; returns rows, and what an error was shown as."""
    node, modules = CLIENTS / "bin" / "node", CLIENTS / "node_modules"
    if not (node.exists() and (modules / "openai").exists()):
        pytest.skip(f"openai for Node is missing in {CLIENTS}; `make test-slow` installs it, where Node has a wheel")
    given = json.dumps({"sentences": ASKED})
    found = json.loads(run(node, SCRIPTS / "http_fetch.js", f"{url}/v1", given=given, NODE_PATH=str(modules)))
    return found, found.pop("refusal")


def _python() -> Path:
    python = CLIENTS / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python} is missing; `make test-slow` installs other people's clients there")
    return python


CURLS: dict[str, list[str]] = {
    "HTTP/1.1": ["--http1.1"],
    "HTTP/1.0": ["--http1.0"],
    "HTTP/2 if the server offers it": ["--http2"],
    "HTTP/2": ["--http2-prior-knowledge"],
    "a body once it may come": ["-H", "Expect: 100-continue"],
    "a body in chunks": ["-H", "Transfer-Encoding: chunked"],
    "a compressed body": ["-H", "Content-Encoding: gzip"],
    "a compressed answer": ["--compressed"],
    "the connection's end": ["-H", "Connection: close"],
}


def by_curl(
    url: str, way: str, folder: Path, *, body: bytes = BODY, calls: int = 3
) -> tuple[list[str], list[str], int]:
    """Post a body some times by one command; returns statuses, answers, and how many connections were made."""
    if shutil.which("curl") is None:
        pytest.skip("curl is missing (Debian: apt-get install curl)")
    file, urls = folder / "body", [f"{url}/v1/embeddings"] * calls
    file.write_bytes(gzip.compress(body) if "compressed body" in way else body)
    posting = ["--data-binary", f"@{file}", "-H", "Content-Type: application/json"]
    shown = run("curl", "-sS", "-w", "\n%{http_code} %{num_connects}\n", *CURLS[way], *posting, *urls)
    answers = shown.splitlines()
    statuses, connects = zip(*(line.split() for line in answers[1::2]), strict=True)
    return list(statuses), answers[::2], sum(map(int, connects))


_AB = ["-q", "-n{calls}", "-c16", "-Tapplication/json", "-p{body}", "{url}"]
_H2LOAD = ["-n{calls}", "-d{body}", "-Hcontent-type: application/json", "{url}"]
_COMPLETE, _SUCCEEDED = r"Complete requests: +{calls}\b", "{calls} succeeded, 0 failed, 0 errored, 0 timeout"
LOADS: dict[str, tuple[list[str], str]] = {
    "ab": (["-k", *_AB], _COMPLETE),
    "h2load, HTTP/1.1": (["--h1", "-c16", "-m4", *_H2LOAD], _SUCCEEDED),
    "h2load, HTTP/2": (["-c4", "-m16", *_H2LOAD], _SUCCEEDED),
}
"""Flags of the programs that measure servers, and what they say where all of so many calls went well."""


def load(url: str, name: str, folder: Path) -> int:
    """Ask by a load generator; returns how often. Raises AssertionError unless it says that all were answered well."""
    program, (flags, said) = name.partition(",")[0], LOADS[name]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing (Debian: apt-get install apache2-utils nghttp2-client)")
    body = folder / "body"
    told = {"calls": CALLS, "body": body, "url": f"{url}/v1/embeddings"}
    body.write_bytes(ONE)
    shown = run(program, *(flag.format(**told) for flag in flags))
    assert re.search(said.format(**told), shown), shown
    assert not re.search(r"Non-2xx|Failed requests: +[1-9]|Error distribution|Socket errors", shown), shown
    return CALLS
