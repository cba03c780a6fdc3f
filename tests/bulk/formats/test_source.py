"""Lines of an input: none is held without bound, and what can't be read is one line of error."""

import gzip
from pathlib import Path

import pytest

from bothends.bulk.formats import source as source_module
from bothends.bulk.formats.source import Source
from tests.bulk import files
from tests.bulk.conftest import Embed, lines


def test_a_line_without_an_end_is_never_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A line that is too long is cut a little behind the limit, and the next one is read."""
    monkeypatch.setattr(source_module, "MAX_LINE_BYTES", 100_000)
    (tmp_path / "in.txt").write_bytes(b"dragons\n" + b"x" * 5_000_000 + b"\na man\n" + b"y" * 5_000_000)
    with Source(tmp_path / "in.txt") as source:
        found = [len(line) for line in source.lines() if line is not None]
    assert (found[0], found[2], len(found)) == (7, 5, 4)
    assert 100_000 < found[1] < 200_000
    assert 100_000 < found[3] < 200_000


def test_a_line_too_long_is_a_bad_row(embed: Embed, tmp_path: Path) -> None:
    with (tmp_path / "in.jsonl").open("wb") as file:
        file.write(b'{"text": "dragons"}\n{"text": "' + b"x" * (17 << 20) + b'"}\n{"text": "a man"}\n')
    embed("--input", tmp_path / "in.jsonl", "--output", tmp_path / "out.jsonl")
    assert files.bad(tmp_path / "out.jsonl") == {1: "is a line of more than 16 MiB"}
    assert [each["row"] for each in files.records(tmp_path / "out.jsonl")] == [0, 2]


def test_utf_16_is_refused_by_its_name(embed: Embed, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("dragons\n", encoding="utf-16")
    said = embed("--input", tmp_path / "in.txt", "--output", tmp_path / "out.npy", code=1).stderr
    assert "is UTF-16; convert it" in said


def test_a_broken_gzip_file_is_one_line(embed: Embed, tmp_path: Path) -> None:
    whole = gzip.compress("\n".join(lines(3000)).encode())
    for name, content in (("cut", whole[:-900]), ("no", b"dragons\n" * 99)):
        (tmp_path / f"{name}.txt.gz").write_bytes(content)
        said = embed("--input", tmp_path / f"{name}.txt.gz", "--output", tmp_path / f"{name}.npy", code=1).stderr
        assert said.startswith("Error: ")
        assert said.count("\n") == 1
