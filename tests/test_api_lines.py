"""The command lines of docs/fronts/shell.md: each is run as it stands there, and answers as it is shown."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .serving import Running, finish, start

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "fronts" / "shell.md"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@dataclass
class Line:
    """A fenced command, and the fenced output that follows it."""

    command: str
    shown: str

    @property
    def tool(self) -> str:
        """The program that it is about."""
        return "grpcurl" if "grpcurl" in self.command else "curl"

    @property
    def fails(self) -> bool:
        """Whether an error is shown."""
        return self.shown.startswith("ERROR:")

    @property
    def outline(self) -> str:
        """What is shown as a pattern, in which … is anything."""
        return ".*?".join(re.escape(part) for part in self.shown.rstrip().split("…"))


TEXT = DOCUMENT.read_text(encoding="utf-8")
LINES = [
    Line(command, shown)
    for command, shown in re.findall(r"```sh\n(.*?)```\n\n```(?:json|text)\n(.*?)```", TEXT, re.DOTALL)
]


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    running = start()
    yield running
    finish(running)


def test_each_command_shows_its_output() -> None:
    assert len(LINES) == TEXT.count("```sh\n") > 10


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.command.partition("127.0.0.1")[2].strip()[6:])
def test_a_line_answers_as_shown(served: Running, line: Line) -> None:
    """But for the ports."""
    if shutil.which(line.tool, path=PATH) is None:
        pytest.skip(f"{line.tool} is missing")
    command = line.command.replace("127.0.0.1:50051", served.target).replace("http://127.0.0.1:8080", served.http)
    environment = os.environ | {"PATH": PATH, "BOTHENDS_API_KEY": "any"}
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],  # noqa: S607  what the reader has
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ran.returncode != 0) == line.fails, ran.stderr
    printed = ran.stderr if line.fails else ran.stdout
    assert re.fullmatch(line.outline, printed.rstrip(), re.DOTALL), printed
