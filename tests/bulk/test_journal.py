"""Runs that are killed at any moment go on when given again: the files are those of a run that wasn't stopped."""

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from bothends.model.bundle import Bundle

from . import files
from .conftest import ROWS, WINDOW, Embed, some_bad, start, write_lines

LONG_S = 60.0
"""Bound of waits for another process, which takes long to begin on a busy machine."""


@pytest.mark.ci
@pytest.mark.slow
def test_killed_at_any_moment(embed: Embed, toy_bundle: Bundle, tmp_path: Path) -> None:
    """SIGKILL, again and again, soon after some commit or in the middle of what follows; then to the end."""
    source = write_lines(tmp_path / "in.txt", some_bad(60_000))
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    flags = ["--input", source, "--bundle", toy_bundle.path, "--device", "cpu", "--output"]
    embed("--input", source, "--output", whole)
    chance = random.Random("jsonl")  # noqa: S311  moments, not secrets
    seen: list[int] = []
    while len(seen) < 5 and not killed.exists():  # a fast machine may be done before
        before, wanted = files.committed(killed), chance.randint(0, 6000)
        with start(*flags, killed) as process:
            while process.poll() is None and files.committed(killed) < before + wanted:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.05)  # somewhere between two commits
            process.kill()
        seen.append(files.committed(killed))
    assert sum(rows > 0 for rows in seen) >= 2, "it was done before it could be killed in the middle"
    if seen[-1] >= 0:
        said = embed("--input", source, "--output", killed).stderr
        assert not seen[-1] or f"going on after {seen[-1]:,} rows" in said
    for suffix in ("", ".bad.jsonl"):
        assert Path(f"{killed}{suffix}").read_bytes() == Path(f"{whole}{suffix}").read_bytes(), seen
    assert files.beside(killed) == ["killed.jsonl.bad.jsonl"]
    assert sorted([*files.read(killed), *files.bad(killed)]) == list(range(60_000))


@contextmanager
def in_the_middle(made: Path, bundle: Path, source: Path) -> Iterator["subprocess.Popen[str]"]:
    """A run in a process of its own that has committed a window of `source` and can't end: its input has no end."""
    flags = ["-", "--output", made, "--bundle", bundle, "--device", "cpu"]
    with start(*flags, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(source.read_text(encoding="utf-8"))
        process.stdin.flush()
        end = time.monotonic() + LONG_S
        while files.committed(made) < WINDOW:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        yield process
        process.kill()


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(embed: Embed, source: Path, toy_bundle: Bundle, tmp_path: Path) -> None:
    """SIGKILL after a commit, then the same command: rows of standard input that were done are known again."""
    made, whole = tmp_path / "out.npy", tmp_path / "whole.npy"
    with in_the_middle(made, toy_bundle.path, source) as process:
        process.kill()
    assert "going on after" in embed("-", "--output", made, given=source.read_text(encoding="utf-8")).stderr
    embed("--input", source, "--output", whole)
    assert made.read_bytes() == whole.read_bytes()


def test_two_runs_dont_write_one_output(embed: Embed, source: Path, toy_bundle: Bundle, tmp_path: Path) -> None:
    made = tmp_path / "out.npy"
    with in_the_middle(made, toy_bundle.path, source):
        said = embed("-", "--output", made, code=1, given="").stderr
    assert said == f"Error: another run is writing {made}.partial\n"


@pytest.mark.ci
@pytest.mark.slow
def test_ctrl_c_says_how_far_it_got(source: Path, toy_bundle: Bundle, tmp_path: Path) -> None:
    made = tmp_path / "out.npy"
    with in_the_middle(made, toy_bundle.path, source) as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LONG_S)
    assert process.returncode == 130
    assert said == f"stopped after {files.committed(made):,} rows; the same command goes on from there\n"


def test_of_another_standard_input_the_next_run_begins_anew(
    embed: Embed, source: Path, toy_bundle: Bundle, tmp_path: Path
) -> None:
    """A pipe can't be read twice."""
    made, other = tmp_path / "out.npy", write_lines(tmp_path / "other.txt", some_bad(ROWS)[::-1])
    with in_the_middle(made, toy_bundle.path, source) as process:
        process.kill()
    again = partial(embed, "-", "--output", made, "--overwrite", given=other.read_text(encoding="utf-8"))
    assert again(code=2).stderr.splitlines()[-1].endswith("give the same command again")
    assert "going on" not in again().stderr
