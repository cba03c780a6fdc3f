"""Inputs and half-made outputs that somebody, or a disk, has changed: an error names the place; no file is lost."""

import csv
import json
from pathlib import Path

import pytest

from tests.bulk.conftest import Embed, lines, write_lines

ROWS = 104


@pytest.fixture
def table(tmp_path: Path) -> Path:
    with (tmp_path / "in.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([number, f"a man plays number {number}"] for number in range(ROWS))
    return tmp_path / "in.csv"


@pytest.mark.parametrize("closed", [False, True], ids=["never", "by a later row's"])
def test_a_quote_that_is_not_closed_names_its_line(embed: Embed, table: Path, tmp_path: Path, closed: bool) -> None:
    """Rows that would be lost in one cell are told of, where they begin; the run fails."""
    content = table.read_text().splitlines()
    content[3] = content[3].replace(",a man", ',"a man')
    if closed:
        content[50] = content[50].replace(",a man plays", ',"a man" plays')
    table.write_text("\n".join(content) + "\n")
    said = embed("--input", table, "--output", tmp_path / "out.jsonl", code=1).stderr
    assert f"{table}: a quote that opens in the record of line 4" in said


def test_a_quote_within_its_line_is_a_bad_row(embed: Embed, table: Path, tmp_path: Path) -> None:
    """A line by itself loses no other: it is bad, and the next one is read."""
    content = table.read_text().splitlines()
    content[3] = '2,"a man" plays'
    table.write_text("\n".join(content) + "\n")
    embed("--input", table, "--output", tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == ROWS - 1
    (bad,) = (tmp_path / "out.jsonl.bad.jsonl").read_text().splitlines()
    assert json.loads(bad)["row"] == 2


def half_made(embed: Embed, tmp_path: Path) -> tuple[Path, Path]:
    """Leave an output of which a part is committed: the input's end is a quote that isn't closed."""
    source, output = tmp_path / "in.csv", tmp_path / "out.jsonl"
    write_lines(source, ["text", *lines(7 * 4096), '"never'])
    embed("--input", source, "--output", output, code=1)
    assert json.loads((tmp_path / "out.jsonl.journal").read_text())["committed"]["rows"] >= 4096
    return source, output


def test_a_bit_that_flipped_is_noticed(embed: Embed, tmp_path: Path) -> None:
    """A run goes on only with what was written."""
    source, output = half_made(embed, tmp_path)
    with (tmp_path / "out.jsonl.partial").open("r+b") as file:
        file.seek(1000)
        (byte,) = file.read(1)
        file.seek(1000)
        file.write(bytes([byte ^ 1]))
    said = embed("--input", source, "--output", output, code=1).stderr
    assert "out.jsonl.partial isn't what was written to it" in said


@pytest.mark.parametrize("name", ["out.jsonl.partial", "out.jsonl.bad.jsonl.partial"])
def test_a_link_in_its_place_is_not_followed(embed: Embed, table: Path, tmp_path: Path, name: str) -> None:
    """A link leaves the file that it leads to as it is."""
    (tmp_path / "precious").write_text("mine")
    (tmp_path / name).symlink_to(tmp_path / "precious")
    said = embed("--input", table, "--output", tmp_path / "out.jsonl", code=1).stderr
    assert f"{name} is a symbolic link" in said
    assert (tmp_path / "precious").read_text() == "mine"
