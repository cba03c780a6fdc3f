"""Killed at any moment, a run goes on when it is given again: the files are those of a run that nobody stopped."""

import random
import shutil
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from bothends.engines.native import is_built
from bothends.model.bundle import Bundle

from . import files
from .conftest import Embed, lines, start, write_lines

ROWS = 60_000
WINDOW = 4096
"""Rows that are committed together."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences of many lengths, every hundredth a bad one."""
    texts = lines(ROWS)
    texts[::100] = [""] * len(texts[::100])
    return write_lines(tmp_path_factory.mktemp("killed") / "in.txt", texts)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("output", files.OUTPUTS)
def test_killed_at_any_moment(embed: Embed, source: Path, toy_bundle: Bundle, tmp_path: Path, output: str) -> None:
    """SIGKILL, again and again, soon after some commit or in the middle of what follows; then to the end."""
    whole, killed = tmp_path / f"whole.{output}", tmp_path / f"killed.{output}"
    flags = ["--input", source, "--bundle", toy_bundle.path, "--device", "cpu", "--output"]
    embed("--input", source, "--output", whole)
    chance = random.Random(output)  # noqa: S311  moments, not secrets
    seen: list[int] = []
    while len(seen) < 5 and not killed.exists():  # a fast machine may be done before
        before, wanted = files.committed(killed), chance.randint(0, 6000)
        with start(*flags, killed) as process:
            while process.poll() is None and files.committed(killed) < before + wanted:
                pass
            until = time.monotonic() + chance.random() * 0.05  # somewhere between two commits
            while process.poll() is None and time.monotonic() < until:
                pass
            process.kill()
        seen.append(files.committed(killed))
    assert sum(rows > 0 for rows in seen) >= 2, "it was done before it could be killed in the middle"
    if seen[-1] >= 0:
        said = embed("--input", source, "--output", killed).stderr
        assert not seen[-1] or f"going on after {seen[-1]:,} rows" in said
    for suffix in ("", ".bad.jsonl"):
        assert Path(f"{killed}{suffix}").read_bytes() == Path(f"{whole}{suffix}").read_bytes(), seen
    assert files.beside(killed) == [f"killed.{output}.bad.jsonl"]
    assert sorted([*files.read(killed), *files.bad(killed)]) == list(range(ROWS))


def kill_midway(made: Path, *flags: object, given: Path | None = None) -> None:
    """A run that has committed something and isn't done; one that was done too soon is tried again."""
    while True:
        with ExitStack() as stack:
            stdin = stack.enter_context(given.open()) if given else None
            process = stack.enter_context(start(*flags, "--output", made, "--device", "cpu", stdin=stdin))
            while files.committed(made) < WINDOW and process.poll() is None:
                pass
            process.kill()
        if not made.exists():
            return
        for path in made.parent.glob(f"{made.name}*"):
            path.unlink()


@pytest.fixture
def begun(embed: Embed, source: Path, toy_bundle: Bundle, tmp_path: Path) -> Path:
    """An output that a killed run has left."""
    made = tmp_path / "out.npy"
    kill_midway(made, "--input", source, "--bundle", toy_bundle.path)
    return made


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--normalize"], "normalize was False and is True now"),
        (["--truncation", "error"], "truncation was 'start' and is 'error' now"),
        (["--encoding", "float16"], "encoding was 'float32' and is 'float16' now"),
        (["--output-format", "jsonl"], "output's format was 'npy' and is 'jsonl' now"),
        pytest.param(
            ["--precision", "bf16"],
            "precision was 'float32' and is 'bf16' now",
            marks=pytest.mark.skipif(not is_built(), reason="bothends-kernel isn't built (make kernel)"),
        ),
    ],
)
def test_other_options_are_refused(embed: Embed, source: Path, begun: Path, flags: list[str], said: str) -> None:
    """In one line, which says which; what is there stays as it is."""
    before = begun.with_name("out.npy.partial").read_bytes()
    error = embed("--input", source, "--output", begun, *flags, code=2).stderr
    assert error.startswith("Error: ")
    assert said in error
    assert error.count("\n") == 1
    assert begun.with_name("out.npy.partial").read_bytes() == before


def test_another_model_is_refused(embed: Embed, source: Path, begun: Path, newer: list[Bundle]) -> None:
    flags = ["--input", source, "--output", begun, "--bundle", newer[0].path]
    assert "model was 'toy 1.0' and is 'toy 1.1' now" in embed(*flags, code=2, local=False).stderr


def test_another_input_is_refused(embed: Embed, source: Path, begun: Path, tmp_path: Path) -> None:
    """Where it is longer; where it differs in what was embedded; and not where it only has another name."""
    longer, other = (Path(shutil.copy(source, tmp_path / name)) for name in ("longer.txt", "other.txt"))
    with longer.open("a") as file:
        file.write("and more\n")
    assert "input's size was" in embed("--input", longer, "--output", begun, code=2).stderr
    with other.open("r+b") as file:
        file.seek(50)
        file.write(b"Q")
    said = embed("--input", other, "--output", begun, code=2).stderr
    assert "the input has changed since its first " in said.splitlines()[-1]
    same = source.rename(source.with_name("renamed.txt"))
    try:
        embed("--input", same, "--output", begun)
    finally:
        same.rename(source)


def test_begun_anew_by_overwrite(embed: Embed, source: Path, begun: Path) -> None:
    embed("--input", source, "--output", begun, "--normalize", "--overwrite")
    rows = np.load(begun)
    assert rows.shape[0] == ROWS
    assert np.linalg.norm(rows[1]) == pytest.approx(1)


def test_a_finished_output_stays(embed: Embed, tmp_path: Path) -> None:
    """Unless it may be overwritten; then its successor is begun beside it, and takes its place at once."""
    source, made = write_lines(tmp_path / "in.txt", ["dragons"]), tmp_path / "out.npy"
    embed("--input", source, "--output", made)
    before = made.read_bytes()
    assert "is there already; --overwrite replaces it" in embed("--input", source, "--output", made, code=2).stderr
    assert (made.read_bytes(), files.beside(made)) == (before, [])
    embed("--input", source, "--output", made, "--normalize", "--overwrite")
    assert made.read_bytes() != before


def test_files_that_lost_bytes_are_refused(embed: Embed, source: Path, begun: Path) -> None:
    """What the journal counts on must be there."""
    with begun.with_name("out.npy.partial").open("r+b") as file:
        file.truncate(1000)
    said = embed("--input", source, "--output", begun, code=1).stderr
    assert "has 1000 bytes where its journal says" in said


def test_a_broken_journal_is_named(embed: Embed, source: Path, begun: Path) -> None:
    begun.with_name("out.npy.journal").write_text("{")
    assert "out.npy.journal can't be read as a journal" in embed("--input", source, "--output", begun, code=1).stderr


def test_two_runs_dont_write_one_output(embed: Embed, source: Path, toy_bundle: Bundle, tmp_path: Path) -> None:
    made = tmp_path / "out.npy"
    with start("--input", source, "--output", made, "--bundle", toy_bundle.path, "--device", "cpu") as process:
        while files.committed(made) < 0:
            pass
        process.send_signal(signal.SIGSTOP)
        said = embed("--input", source, "--output", made, code=1).stderr
        process.kill()
    assert said == f"Error: another run is writing {made}.partial\n"


def test_ctrl_c_says_how_far_it_got(toy_bundle: Bundle, tmp_path: Path) -> None:
    made = tmp_path / "out.npy"
    flags = ["-", "--output", made, "--bundle", toy_bundle.path, "--device", "cpu"]
    with start(*flags, stdin=-1, stderr=-1) as process:
        assert process.stdin is not None
        process.stdin.write("\n".join(lines(6 * WINDOW)) + "\n")  # no end: it can't be done before it is stopped
        process.stdin.flush()
        while files.committed(made) < WINDOW:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == f"stopped after {files.committed(made):,} rows; the same command goes on from there\n"


def test_standard_input_goes_on_too(embed: Embed, source: Path, toy_bundle: Bundle, tmp_path: Path) -> None:
    """What was done is known again by what comes."""
    made, whole = tmp_path / "out.npy", tmp_path / "whole.npy"
    kill_midway(made, "-", "--bundle", toy_bundle.path, given=source)
    with source.open() as given:
        assert "going on after" in embed("-", "--output", made, stdin=given).stderr
    embed("--input", source, "--output", whole)
    assert made.read_bytes() == whole.read_bytes()
