"""Runs that are killed at any moment go on when given again: the files are those of a run that wasn't stopped."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bothends import Encoder
from bothends.bulk.engines import EmbedResult, LocalEngine
from bothends.bulk.execute import execute
from bothends.bulk.job import Job
from bothends.engines.native import is_built
from bothends.model.bundle import Bundle
from bothends.options import EmbedOptions

from . import files
from .conftest import Embed, lines, start, write_lines

WINDOW = 4096
"""Rows that are committed together."""
ROWS = 6 * WINDOW + 1000
"""Rows of the input: a window is written when five more are computed, or when there are no more."""
LONG_S = 60.0
"""Bound of waits for another process, which takes long to begin on a busy machine."""


def some_bad(count: int) -> list[str]:
    """Sentences of many lengths, every hundredth a bad one."""
    texts = lines(count)
    texts[::100] = [""] * len(texts[::100])
    return texts


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lines(tmp_path_factory.mktemp("source") / "in.txt", some_bad(ROWS))


@pytest.mark.slow
@pytest.mark.parametrize("output", files.OUTPUTS)
def test_killed_at_any_moment(embed: Embed, toy_bundle: Bundle, tmp_path: Path, output: str) -> None:
    """SIGKILL, again and again, soon after some commit or in the middle of what follows; then to the end."""
    source = write_lines(tmp_path / "in.txt", some_bad(60_000))
    whole, killed = tmp_path / f"whole.{output}", tmp_path / f"killed.{output}"
    flags = ["--input", source, "--bundle", toy_bundle.path, "--device", "cpu", "--output"]
    embed("--input", source, "--output", whole)
    chance = random.Random(output)  # noqa: S311  moments, not secrets
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
    assert files.beside(killed) == [f"killed.{output}.bad.jsonl"]
    assert sorted([*files.read(killed), *files.bad(killed)]) == list(range(60_000))


class Killed(BaseException):
    """An error that no code expects."""


class EndsEarly(LocalEngine):
    """The toy model, which ends the run after its first window."""

    def embed(self, texts: Sequence[str]) -> EmbedResult:
        if texts[0] != lines(2)[1]:
            raise Killed
        return super().embed(texts)

    def stop(self) -> None:
        """Keep the model, which tests share."""


@pytest.fixture(scope="module")
def left(source: Path, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an output of which one window is committed."""
    folder = tmp_path_factory.mktemp("left")
    options = EmbedOptions(truncation="start", normalize=False, dimensions=None, encoding="float32")
    job = Job(source, folder / "out.npy", "txt", "npy", None, (), False, options)
    with pytest.raises(Killed):
        execute(job, lambda: EndsEarly(encoder, options))
    assert files.committed(folder / "out.npy") == WINDOW
    return folder


@pytest.fixture
def begun(left: Path, tmp_path: Path) -> Path:
    """An output that such a run has left, for one test."""
    shutil.copytree(left, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out.npy"


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
            marks=pytest.mark.skipif(not is_built(), reason="bothends-native isn't built (make native)"),
        ),
    ],
)
def test_other_options_are_refused(embed: Embed, source: Path, begun: Path, flags: list[str], said: str) -> None:
    """One line says which option differs; what is there stays as it is."""
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
    """Inputs that are longer or differ in what was embedded are refused; one that only has another name isn't."""
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
    """Overwriting it begins its successor beside it, which takes its place at once."""
    source, made = write_lines(tmp_path / "in.txt", ["dragons"]), tmp_path / "out.npy"
    embed("--input", source, "--output", made)
    before = made.read_bytes()
    assert "is there already; --overwrite replaces it" in embed("--input", source, "--output", made, code=2).stderr
    assert (made.read_bytes(), files.beside(made)) == (before, [])
    embed("--input", source, "--output", made, "--normalize", "--overwrite")
    assert made.read_bytes() != before


def test_files_that_lost_bytes_are_refused(embed: Embed, source: Path, begun: Path) -> None:
    """Bytes that the journal counts on must be there."""
    with begun.with_name("out.npy.partial").open("r+b") as file:
        file.truncate(1000)
    said = embed("--input", source, "--output", begun, code=1).stderr
    assert "has 1000 bytes where its journal says" in said


def test_a_broken_journal_is_named(embed: Embed, source: Path, begun: Path) -> None:
    begun.with_name("out.npy.journal").write_text("{")
    assert "out.npy.journal can't be read as a journal" in embed("--input", source, "--output", begun, code=1).stderr


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
    with source.open() as given:
        assert "going on after" in embed("-", "--output", made, stdin=given).stderr
    embed("--input", source, "--output", whole)
    assert made.read_bytes() == whole.read_bytes()


def test_two_runs_dont_write_one_output(embed: Embed, source: Path, toy_bundle: Bundle, tmp_path: Path) -> None:
    made = tmp_path / "out.npy"
    with in_the_middle(made, toy_bundle.path, source):
        said = embed("-", "--output", made, code=1, stdin=subprocess.DEVNULL).stderr
    assert said == f"Error: another run is writing {made}.partial\n"


@pytest.mark.slow
def test_ctrl_c_says_how_far_it_got(source: Path, toy_bundle: Bundle, tmp_path: Path) -> None:
    made = tmp_path / "out.npy"
    with in_the_middle(made, toy_bundle.path, source) as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LONG_S)
    assert process.returncode == 130
    assert said == f"stopped after {files.committed(made):,} rows; the same command goes on from there\n"
