"""Other people's clients, run by scripts of tests/clients in an environment that reaches this machine alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bothends import Client
from bothends.model.bundle import Bundle, default_path
from bothends.model.tokenizer import Tokenizer
from bothends.server.keys import new

from .paths import ROOT
from .serving import Running, finish, start

PYTHON = Path(sys.prefix) / "clients" / "bin" / "python"
SCRIPTS = ROOT / "tests" / "clients"
SENTENCES = ["there will be dragons", "dragons will be there", "über 龍 👩‍👩‍👧‍👦", "word " * 200, "no"]
CUT = "word " * 300 + "end"
"""Text of which the scripts have the end kept."""
QUIET = {
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGSMITH_TRACING": "false",
    "ANONYMIZED_TELEMETRY": "False",
}
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

    def by(self, script: str, *arguments: str) -> Any:
        """Run one of the scripts; returns its report."""
        given = {"sentences": SENTENCES, "ids": ids(), "slow_key": self.slow_key, "wrong_key": self.key and "sk-wrong"}
        return json.loads(run(SCRIPTS / script, *arguments, given=json.dumps(given), key=self.key))

    def encode(self, *sentences: str, normalize: bool = True, **options: Any) -> np.ndarray:
        """Embed by our own client."""
        with Client(self.running.target, api_key=self.key) as client:
            return client.embed(sentences or SENTENCES, normalize=normalize, **options).rows


def run(script: Path, *arguments: str, given: str = "", key: str | None = None) -> str:
    """Run a script; returns what it prints. None of our packages is in its way, and no way out of this machine."""
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON} is missing; `make test-slow` installs other people's clients there")
    done = run_by(PYTHON, script, *arguments, given=given, **({"BOTHENDS_API_KEY": key} if key else {}))
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_by(
    python: Path, script: Path, *arguments: str, given: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script by a Python, with no more than these variables; it ends where it wants to leave this machine."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **QUIET}
    return subprocess.run(
        [python, "-I", "-c", LOOPBACK_ONLY, script, *arguments],
        input=given,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def ids() -> list[list[int]]:
    """Tokenise SENTENCES as the packaged model does."""
    bundle = Bundle.open(default_path())
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
    return [tokens.ids for tokens in tokenizer.encode(SENTENCES)]


@contextmanager
def serving(keys: Path | None) -> Iterator[Asked]:
    """Start a server that asks for keys, kept in a file, or that doesn't."""
    if keys is None:
        asked = Asked(start())
    else:
        (key, entry), (slow_key, slow_entry) = new("fast"), new("slow")
        keys.write_text(f"{entry}{slow_entry}sentences_per_s = 1\n")
        asked = Asked(start("--api-keys", str(keys)), key, slow_key)
    yield asked
    finish(asked.running)
