"""Runs of the command over real files, by a small model."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bothends import Encoder
from bothends.model.bundle import Bundle
from tests.support.serving import BOTHENDS

Embed = Callable[..., "subprocess.CompletedProcess[str]"]


def environment() -> dict[str, str]:
    """No server is in it, and no terminal's width."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BOTHENDS_")}


@pytest.fixture
def embed(toy_bundle: Bundle) -> Embed:
    """Run `bothends embed` with these flags, by the toy model unless told so. It must end with `code`, if any."""

    def run(
        *flags: object, code: int | None = 0, local: bool = True, **options: Any
    ) -> "subprocess.CompletedProcess[str]":
        bundle = ["--bundle", toy_bundle.path, "--device", "cpu"] if local else []
        command = [BOTHENDS, "embed", *bundle, *map(str, flags)]
        given = {"capture_output": True, "text": True, "encoding": "utf-8", "env": environment(), "timeout": 100}
        ended = subprocess.run(command, check=False, **(given | options))
        assert code is None or ended.returncode == code, ended.stderr
        return ended

    return run


@pytest.fixture(scope="session")
def encoder(toy_bundle: Bundle) -> Iterator[Encoder]:
    """What must have come out."""
    with Encoder.load(toy_bundle.path, device="cpu", workers=1) as loaded:
        yield loaded


def lines(count: int, *, seed: int = 0) -> list[str]:
    """Distinct sentences of many lengths."""
    words = ["there", "will", "be", "dragons", "a", "man", "plays", "the", "guitar", "and", "woman", "sings"]
    made = []
    for index in range(count):
        mixed = (index * 2654435761 + seed) & 0xFFFFFFFF
        length = 1 + mixed % 13
        made.append(" ".join(words[(mixed >> place) % len(words)] for place in range(length)) + f" {index}")
    return made


def write_lines(path: Path, texts: list[str]) -> Path:
    """A text file of them."""
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def start(*flags: object, **options: Any) -> "subprocess.Popen[str]":
    """The command, in a process that isn't waited for. It hears Ctrl-C, also where whoever runs the tests doesn't."""
    command = [BOTHENDS, "embed", *map(str, flags)]
    hears = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, text=True, env=environment(), preexec_fn=hears, **options)


PYTHON = sys.executable
