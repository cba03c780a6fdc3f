"""Clients that people have, unmodified, against a real server: OpenAI's, LangChain's, LlamaIndex's and Haystack's.

Each runs in an environment of its own, and can reach nothing but this machine.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bothends import Client
from bothends.model.bundle import Bundle, default_path
from bothends.model.tokenizer import Tokenizer
from bothends.server.keys import new
from tests.support.paths import ROOT
from tests.support.serving import Running, finish, start

pytestmark = pytest.mark.slow  # starts other people's clients

DOCUMENT = ROOT / "docs" / "fronts" / "openai.md"
PYTHON = Path(sys.prefix) / "clients" / "bin" / "python"
SCRIPTS = ROOT / "tests" / "clients"
SENTENCES = ["there will be dragons", "dragons will be there", "über 龍 👩‍👩‍👧‍👦", "word " * 200, "no"]
CUT = "word " * 300 + "end"
"""Text of which the scripts have the end kept."""
QUIET = {"HAYSTACK_TELEMETRY_ENABLED": "False", "LANGSMITH_TRACING": "false", "ANONYMIZED_TELEMETRY": "False"}
LOOPBACK_ONLY = """
import runpy, socket, sys
connect = socket.socket.connect
def local(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise SystemExit(f"a client wants to reach {address}")
    return connect(self, address)
def resolve(host, *arguments, found=socket.getaddrinfo, **options):
    if host not in ("127.0.0.1", "::1", "localhost", None):
        raise SystemExit(f"a client wants to reach {host}")
    return found(host, *arguments, **options)
socket.socket.connect, socket.getaddrinfo = local, resolve
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass
class Asked:
    """A server, and a key that it knows."""

    running: Running
    key: str | None = None
    slow_key: str | None = None

    def by(self, script: str) -> Any:
        """Run one of the scripts; returns its report."""
        given = {"sentences": SENTENCES, "ids": ids(), "slow_key": self.slow_key, "wrong_key": self.key and "sk-wrong"}
        return json.loads(run(SCRIPTS / script, f"{self.running.http}/v1", given=json.dumps(given), key=self.key))

    def encode(self, *sentences: str, **options: Any) -> np.ndarray:
        """Embed by our own client."""
        with Client(self.running.target, api_key=self.key) as client:
            return client.embed(sentences or SENTENCES, normalize=True, **options).rows


def run(script: Path, *arguments: str, given: str = "", key: str | None = None) -> str:
    """Run a script; returns what it prints. None of our packages is in its way, and no way out of this machine."""
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON} is missing; `make test-slow` installs other people's clients there")
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **QUIET}
    done = subprocess.run(
        [PYTHON, "-I", "-c", LOOPBACK_ONLY, script, *arguments],
        input=given,
        env=environment | ({"BOTHENDS_API_KEY": key} if key else {}),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ids() -> list[list[int]]:
    """Tokenise SENTENCES as the packaged model does."""
    bundle = Bundle.open(default_path())
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
    return [tokens.ids for tokens in tokenizer.encode(SENTENCES)]


@pytest.fixture(scope="module", params=["open", "keys"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """One that asks for keys, and one that doesn't."""
    if request.param == "open":
        asked = Asked(start())
    else:
        (key, entry), (slow_key, slow_entry) = new("fast"), new("slow")
        file = tmp_path_factory.mktemp("keys") / "keys.toml"
        file.write_text(f"{entry}{slow_entry}sentences_per_s = 1\n")
        asked = Asked(start("--api-keys", str(file)), key, slow_key)
    yield asked
    finish(asked.running)


def test_openais_own_package(server: Asked) -> None:
    """The very numbers of our own client, whichever way they travel; and its own classes for what goes wrong."""
    found = server.by("openai_package.py")
    expected = server.encode()
    for way in ("default", "float", "ids", "asyncio"):
        assert np.array_equal(np.array(found[way], np.float32), expected), way
    for way in ("one", "ids of one"):
        assert np.array_equal(np.array(found[way], np.float32), expected[:1]), way
    assert np.array_equal(np.array(found["dimensions"], np.float32), server.encode(dimensions=64))
    assert np.array_equal(np.array(found["end"], np.float32), server.encode(CUT, truncation="end"))
    tokens = sum(map(len, ids()))
    assert found["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (found["model"], found["models"], found["retrieved"]) == ("english", ["english"], "english")
    told = {name: (error["class"], error["code"], error["param"]) for name, error in found["errors"].items()}
    assert told == {
        "model": ("NotFoundError", "model_not_found", "model"),
        "empty": ("BadRequestError", None, "input[1]"),
        "long": ("BadRequestError", "context_length_exceeded", "input[0]"),
        "none": ("BadRequestError", None, "input"),
        "unknown": ("BadRequestError", None, "n"),
        "retrieve": ("NotFoundError", "model_not_found", "model"),
        **({"key": ("AuthenticationError", "invalid_api_key", None)} if server.key else {}),
        **({"share": ("RateLimitError", "rate_limit_exceeded", None)} if server.key else {}),
    }
    if server.key:
        assert np.array_equal(np.array(found["patient"], np.float32), expected[:1])


@pytest.mark.parametrize("script", ["langchain_embeddings.py", "llama_index_embeddings.py", "haystack_embedders.py"])
def test_what_stands_on_openais_package(server: Asked, script: str) -> None:
    """Many and one, sync and async, shortened, and cut where it can pass that on."""
    found = {way: np.array(rows, np.float32) for way, rows in server.by(script).items()}
    expected = server.encode()
    assert np.array_equal(found["documents"], expected)
    assert np.array_equal(found["asyncio"], expected)
    assert np.array_equal(found["query"], expected[:1])
    assert np.array_equal(found["dimensions"], server.encode(dimensions=64))
    if "end" in found:
        assert np.array_equal(found["end"], server.encode(CUT, truncation="end"))


def documented(pattern: str) -> list[str]:
    """List the document's blocks of a kind."""
    found = re.findall(pattern, DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    return found


@pytest.mark.parametrize("example", documented(r"^```python clients\n(.*?)^```"))
def test_python_lines_of_the_document_run(shared: Running, tmp_path: Path, example: str) -> None:
    """The lines run as they stand, but for the port."""
    (tmp_path / "example.py").write_text(example.replace("http://127.0.0.1:8080", shared.http))
    assert "512" in run(tmp_path / "example.py")


@pytest.mark.parametrize("line", documented(r"^curl [^\n]+"))
def test_curl_lines_of_the_document_run(shared: Running, line: str) -> None:
    """The lines run as they stand, but for the port."""
    command = shlex.split(line.replace("http://127.0.0.1:8080", shared.http))
    done = subprocess.run([*command, "--fail", "--silent"], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout).keys() & {"data", "openapi"}


def test_a_client_that_would_leave_this_machine_is_caught(tmp_path: Path) -> None:
    """The promise above would be empty otherwise."""
    script = tmp_path / "out.py"
    script.write_text("import urllib.request\nurllib.request.urlopen('http://192.0.2.1/', timeout=5)\n")
    with pytest.raises(AssertionError, match=r"wants to reach 192\.0\.2\.1"):
        run(script)
