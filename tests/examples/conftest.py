"""A started server, and examples that are run against it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.serving import Running, finish, start

from .notes import EXAMPLES

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    running = start()
    yield running
    finish(running)


@pytest.fixture
def run(served: Running, tmp_path: Path) -> Run:
    """Run an example in a folder of its own, against the server unless --server says otherwise."""

    def run(example: str, *arguments: object, text: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"BOTHENDS_SERVER": served.target, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, EXAMPLES / example, *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, input=text, capture_output=True, text=True, check=False, timeout=100
        )

    return run


def output(finished: subprocess.CompletedProcess[str]) -> str:
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def refusal(finished: subprocess.CompletedProcess[str]) -> str:
    """Return the one line on standard error of a run that failed."""
    assert finished.returncode == 1, finished.stdout
    assert finished.stdout == ""
    (line,) = (line for line in finished.stderr.splitlines() if not line.startswith("Embedding "))  # a progress bar's
    return line
