"""Plans of runs over many files: which files they are, what they become, and what can't be meant."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from bothends.bulk.ray.plan import files as files_of
from bothends.errors import BothendsError
from tests.bulk.ray.plans import plan


def test_a_folder_a_pattern_and_a_file(tmp_path: Path) -> None:
    """Names stay as they are below what was named; what is hidden or has no known format is left out."""
    for name in ("a.txt", "b.csv.gz", "below/deep/c.parquet", ".hidden.txt", "_bothends/job.json", "notes.md"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"text\n" * (1 + len(name)))

    def outputs(source: object) -> list[str]:
        return [file.output for file in files_of(plan(source, tmp_path / "out"))[0]]

    folder = tmp_path / "in"
    assert outputs(folder) == ["below/deep/c.parquet", "b.parquet", "a.parquet"], "the largest first"
    assert outputs(f"file://{folder}") == outputs(folder)
    assert files_of(plan(folder, tmp_path / "out"))[1] == ["notes.md"]
    assert outputs(folder / "*.txt") == ["a.parquet"]
    assert outputs(folder / "**" / "*.parquet") == ["below/deep/c.parquet"]
    assert outputs(folder / "a.txt") == ["a.parquet"]
    (folder / "odd[1].txt").write_text("dragons")
    assert outputs(folder / "odd[1].txt") == ["odd[1].parquet"]


@pytest.mark.parametrize(
    ("names", "source", "output", "changed", "said"),
    [
        (["a.txt", "a.csv"], "in", "out", {}, "a.csv and a.txt would both become a.parquet; give one of them"),
        (["a.txt", "b.txt"], "in", "in/out", {}, "its files would be inputs of the next run"),
        (["a.md"], "in", "out", {}, "no file in it whose name ends in .txt, .csv"),
        (["a.csv", "b.txt"], "in", "out", {"column": "text"}, "b.txt: a text file has no columns"),
        ([], "nowhere", "out", {}, "nowhere can't be read: there is no such file or folder"),
        ([], "nosuch://bucket/in", "out", {}, "nosuch://bucket/in can't be read: Protocol not known: nosuch"),
    ],
)
def test_what_cant_be_meant(
    tmp_path: Path, names: list[str], source: str, output: str, changed: dict[str, Any], said: str
) -> None:
    for name in names:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text("text\n")
    where = source if "://" in source else tmp_path / source
    with pytest.raises(BothendsError, match="(?s)" + said.replace("*", r"\*")):
        files_of(plan(where, tmp_path / output, **changed))


def test_a_packed_file_keeps_its_name(tmp_path: Path) -> None:
    """A file whose name says nothing gets one, where its format is given."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "v1.2.txt.gz").write_bytes(gzip.compress(b"dragons\n"))
    (tmp_path / "in" / "part-0001").write_bytes(b"dragons\n")
    given = plan(tmp_path / "in", tmp_path / "out", input_format="txt", output_format="npy")
    assert sorted(file.output for file in files_of(given)[0]) == ["part-0001.npy", "v1.2.npy"]
