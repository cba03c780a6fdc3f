"""Runs of the command over real files, by a small model."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
from click.testing import CliRunner

from bothends import Encoder
from bothends.bulk.engines import LocalEngine
from bothends.cli.main import main
from bothends.model.bundle import Bundle
from tests.support.serving import BOTHENDS

Embed = Callable[..., "Ended"]
WINDOW = 4096
"""Rows that are committed together."""
ROWS = 6 * WINDOW + 1000
"""Rows of the input: a window is written when five more are computed, or when there are no more."""


def environment() -> dict[str, str]:
    """No server is in it, and no terminal's width."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BOTHENDS_")}


@dataclass(frozen=True, slots=True)
class Ended:
    """Exit code and output of a run that has ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def embed(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embed]:
    """Run `bothends embed` with these flags, by the toy model unless told so, `given` this standard input, if any.
    It must end with `code`, if any.

    In this process, since each of its own takes long to begin; in one of its own where `options` are given for it.
    """
    interval = sys.getswitchinterval()

    def run(
        *flags: object,
        code: int | None = 0,
        local: bool = True,
        cwd: Path | None = None,
        given: str | None = None,
        **options: Any,
    ) -> Ended:
        bundle = ["--bundle", toy_bundle.path, "--device", "cpu"] if local else []
        arguments = ["embed", *map(str, [*bundle, *flags])]
        with monkeypatch.context() as patched:
            patched.chdir(cwd or Path.cwd())
            ended = _in_a_process(arguments, **options) if options else _here(arguments, given)
        assert code is None or ended.returncode == code, ended.stderr
        return ended

    yield run
    sys.setswitchinterval(interval)


def _here(arguments: list[str], given: str | None) -> Ended:
    unset = dict.fromkeys(name for name in os.environ if name.startswith("BOTHENDS_"))
    with TemporaryFile() as standard:  # which has a number, as a run asks for it
        standard.write((given or "").encode())
        standard.seek(0)
        result = CliRunner().invoke(main, arguments, standard, env=unset)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return Ended(result.exit_code, result.stdout, result.stderr)


def _in_a_process(arguments: list[str], **options: Any) -> Ended:
    given: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "env": environment(), "timeout": 100}
    ended = subprocess.run([BOTHENDS, *arguments], check=False, **(given | options))
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="session")
def encoder(toy_bundle: Bundle) -> Iterator[Encoder]:
    """Encoder that gives the right vectors."""
    with Encoder.load(toy_bundle.path, device="cpu", workers=1) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lines(tmp_path_factory.mktemp("source") / "in.txt", some_bad(ROWS))


class KeptEngine(LocalEngine):
    """The engine of a model that tests share: a run's end leaves it loaded."""

    def stop(self) -> None:
        pass


def lines(count: int, *, seed: int = 0) -> list[str]:
    """Distinct sentences of many lengths."""
    words = ["there", "will", "be", "dragons", "a", "man", "plays", "the", "guitar", "and", "woman", "sings"]
    made = []
    for index in range(count):
        mixed = (index * 2654435761 + seed) & 0xFFFFFFFF
        length = 1 + mixed % 13
        made.append(" ".join(words[(mixed >> place) % len(words)] for place in range(length)) + f" {index}")
    return made


def some_bad(count: int) -> list[str]:
    """Sentences of many lengths, every hundredth a bad one."""
    texts = lines(count)
    texts[::100] = [""] * len(texts[::100])
    return texts


def write_lines(path: Path, texts: list[str]) -> Path:
    """A text file of them."""
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def start(*flags: object, **options: Any) -> "subprocess.Popen[str]":
    """The command, in a process that isn't waited for. It hears Ctrl-C, also where whoever runs the tests doesn't."""
    command = [str(BOTHENDS), "embed", *map(str, flags)]
    hears = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, text=True, env=environment(), preexec_fn=hears, **options)  # noqa: PLW1509  it calls no Python that another thread may hold a lock of
