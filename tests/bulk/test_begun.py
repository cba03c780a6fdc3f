"""Outputs that a run has left unfinished: what differs is refused in a line, or begun anew where that was asked for."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from bothends import Encoder
from bothends.bulk.engines import EmbedResult
from bothends.bulk.execute import execute
from bothends.bulk.job import Job
from bothends.engines.native import is_built
from bothends.options import EmbedOptions

from . import files
from .conftest import WINDOW, Embed, KeptEngine, lines, write_lines


class Killed(BaseException):
    """An error that no code expects."""


class EndsEarly(KeptEngine):
    """The toy model, which ends the run after its first window."""

    def embed(self, texts: Sequence[str]) -> EmbedResult:
        if texts[0] != lines(2)[1]:
            raise Killed
        return super().embed(texts)


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


@pytest.mark.parametrize("trouble", ["another input", "lost bytes"])
def test_overwrite_begins_anew_what_can_not_be_gone_on_with(
    embed: Embed, source: Path, begun: Path, tmp_path: Path, trouble: str
) -> None:
    """Errors and docs say so: of another input of the same size, and of files that aren't what the journal says."""
    given = Path(shutil.copy(source, tmp_path / "given.txt"))
    changed, index = (given, 50) if trouble == "another input" else (begun.with_name("out.npy.partial"), 1000)
    with changed.open("r+b") as file:
        file.seek(index)
        file.write(b"Q") if trouble == "another input" else file.truncate()
    embed("--input", given, "--output", begun, "--overwrite")
    embed("--input", given, "--output", tmp_path / "whole.npy")
    assert begun.read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert files.beside(begun) == ["out.npy.bad.jsonl"]
