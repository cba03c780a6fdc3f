"""Standard output that takes nothing, as on a full disk, and one whose reader has enough."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from bothends.model.bundle import Bundle
from tests.support.ran import ran
from tests.support.serving import BOTHENDS, Running

FULL = "Error: standard output can't be written: No space left on device"
_TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
COMMANDS: list[list[str]] = [
    ["--help"],
    ["embed", "hi", "--bundle", "BUNDLE"],
    ["serve", "--show-settings"],
]
"""A page of help, an answer, and lines: each is written in its own way."""
OTHERS: list[list[str]] = [
    ["--version"],
    ["embed", "hi", "--bundle", "BUNDLE", "--json"],
    ["embed", "-", "--bundle", "BUNDLE"],
    ["embed", "--input", "FILE", "--bundle", "BUNDLE"],
    ["search", "FILE", "hi", "--bundle", "BUNDLE"],
    ["deduplicate", "FILE", "--bundle", "BUNDLE"],
    ["explain", "hi", "--bundle", "BUNDLE"],
    ["tokenize", "hi", "--bundle", "BUNDLE"],
    ["key", "somebody"],
    ["info", "--server", "SERVER"],
    ["health", "--server", "SERVER"],
    ["serve", "--help-all"],
]
OF_TORCH: list[list[str]] = [
    ["verify", "BUNDLE"],
    *([name, "--help"] for name in ("import", "export", "verify", "doctor", "train", "evaluate")),
]


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS,
        *(pytest.param(command, marks=pytest.mark.slow) for command in OTHERS),
        *(pytest.param(command, marks=[_TORCH, pytest.mark.slow]) for command in OF_TORCH),
    ],
    ids=" ".join,
)
def test_a_full_output_is_told_in_one_line(
    command: list[str], toy_bundle: Bundle, shared: Running, tmp_path: Path
) -> None:
    """The last line of standard error says so, no traceback does, and the exit code is 1 with every Python."""
    file = tmp_path / "few.txt"
    file.write_text("dragons\ndragons\n")
    named = {"BUNDLE": str(toy_bundle.path), "SERVER": shared.target, "FILE": str(file)}
    words = [named.get(word, word) for word in command]
    with Path("/dev/full").open("w") as full:
        ended = ran(
            BOTHENDS, *words, capture_output=False, stdout=full, stderr=subprocess.PIPE, input="hi\n", timeout=60
        )
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.splitlines()[-1] == FULL
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count(FULL) == 1


def test_a_reader_that_has_enough_is_told_nothing() -> None:
    """A closed pipe ends a command with 1, and without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = ran(BOTHENDS, "serve", "--help-all", capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_no_output_at_all_is_no_error() -> None:
    ended = ran("bash", "-c", '"$0" --version >&-', BOTHENDS)
    assert (ended.returncode, ended.stderr) == (0, "")
