"""Runs other people's clients over HTTP, and says what they got: Python's libraries, Node's, curl, load generators."""

import gzip
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.until import TIMEOUT_S

from .asked import SENTENCES

CLIENTS = Path(sys.prefix) / "clients"
SCRIPTS = ROOT / "tests" / "clients"
ASKED = SENTENCES[:40]
BODY = json.dumps({"model": "english", "input": ASKED}).encode()

Ways = dict[str, Any]
"""What one library got, by the way in which it asked."""


def run(*command: str | Path, given: str = "", **environment: str) -> str:
    """Run a program; returns its standard output."""
    done = ran(*command, input=given, env=os.environ | environment, timeout=TIMEOUT_S)
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
