"""Command lines of docs/fronts/shell.md run as they stand there, and answer as it is shown."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.serving import Running, finish, start
from tests.support.shown import Shown, shown

DOCUMENT = ROOT / "docs" / "fronts" / "shell.md"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
LINES = shown(DOCUMENT)


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    running = start()
    yield running
    finish(running)


def test_each_command_shows_its_output() -> None:
    assert len(LINES) == DOCUMENT.read_text(encoding="utf-8").count("```sh\n") > 10


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.command.split()[-1])
def test_a_line_answers_as_shown(served: Running, line: Shown) -> None:
    """Lines run as they stand, but for the ports."""
    tool = "grpcurl" if "grpcurl" in line.command else "curl"
    if shutil.which(tool, path=PATH) is None:
        pytest.skip(f"{tool} is missing")
    command = line.command.replace("127.0.0.1:50051", served.target).replace("http://127.0.0.1:8080", served.http)
    environment = os.environ | {"PATH": PATH, "BOTHENDS_API_KEY": "any"}
    ended = ran("bash", "-o", "pipefail", "-c", command, cwd=ROOT, env=environment, timeout=60)
    failed = line.output.startswith("ERROR:")
    assert (ended.returncode != 0) == failed, ended.stderr
    printed = ended.stderr if failed else ended.stdout
    assert line.is_outline_of(printed), printed
