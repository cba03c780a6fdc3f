"""Parquet of every shape in and out, and columns that keep their types."""

import datetime
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bothends import Encoder
from tests.bulk import files
from tests.bulk.conftest import Embed, lines


@pytest.mark.parametrize("output", ["jsonl", "parquet"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_columns_are_kept(embed: Embed, tmp_path: Path, kind: str, output: str) -> None:
    """Columns stand beside the row's number: strings of csv and of JSON into Parquet, of Parquet with their types."""
    texts = ["a man", "", "dragons"]
    source = files.write(tmp_path / f"in.{kind}", texts, kind)
    made = tmp_path / f"out.{output}"
    embed("--input", source, "--output", made, "--column", "text", "--keep", "id", "--keep", "text")
    found = [(each["row"], each["id"], each["text"]) for each in files.records(made)]
    as_text = kind == "csv" or (kind, output) == ("jsonl", "parquet")
    assert found == [(row, str(row) if as_text else row, texts[row]) for row in (0, 2)]
    assert files.bad(made) == {1: "is empty; a sentence needs at least one word"}


def test_kept_values_of_any_type(embed: Embed, tmp_path: Path) -> None:
    """Values that JSON can say stay what they are, beyond 64 bits too; others become text."""
    table = pa.table(
        {
            "text": ["dragons"],
            "day": [datetime.date(2026, 1, 31)],
            "price": [Decimal("1.10")],
            "raw": [b"\x00\xff"],
            "list": [[1, 2]],
            "nan": [float("nan")],
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    keep = [flag for name in table.column_names[1:] for flag in ("--keep", name)]
    embed("--input", tmp_path / "in.parquet", "--output", tmp_path / "a.jsonl", "--column", "text", *keep)
    embed("--input", tmp_path / "in.parquet", "--output", tmp_path / "a.parquet", "--column", "text", *keep)
    (line,) = files.records(tmp_path / "a.jsonl")
    assert [line[name] for name in table.column_names[1:]] == ["2026-01-31", "1.10", "AP8=", [1, 2], None]
    assert (
        pq.read_table(tmp_path / "a.parquet")
        .select(["day", "price", "raw"])
        .equals(table.select(["day", "price", "raw"]))
    )
    value = {"big": 2**80, "half": "\ud800"}
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": "dragons", "of": value}) + "\n", encoding="utf-8")
    embed("--input", tmp_path / "in.jsonl", "--output", tmp_path / "b.jsonl", "--column", "text", "--keep", "of")
    assert files.records(tmp_path / "b.jsonl")[0]["of"] == value


def test_parquet_of_many_row_groups(embed: Embed, encoder: Encoder, tmp_path: Path) -> None:
    """Large strings and dictionaries are text too; row groups in and out hold more rows than one."""
    texts = lines(20_000)
    column = pa.array(texts, pa.large_string())
    pq.write_table(pa.table({"a": column, "n": range(len(texts))}), tmp_path / "in.parquet", row_group_size=777)
    said = embed("--input", tmp_path / "in.parquet", "--output", tmp_path / "out.parquet").stderr
    assert said.startswith("column: a\n")
    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert (file.metadata.num_rows, file.num_row_groups) == (20_000, 2)
    assert file.schema_arrow.metadata[b"bothends.model"] == b"toy 1.0"
    found = np.stack(file.read(["embedding"]).column(0).to_numpy())
    assert found.tobytes() == encoder.encode(texts).tobytes()


EMPTY = "is empty; a sentence needs at least one word"


def test_cells_of_parquet(embed: Embed, tmp_path: Path) -> None:
    """Null, blank, and bytes that were called a string though they are none."""
    raw = pa.array([b"dragons", None, b"", b"xyzzy \xff", b"a man"], pa.binary())
    table = pa.table({"text": pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())})
    pq.write_table(table, tmp_path / "in.parquet")
    embed("--input", tmp_path / "in.parquet", "--output", tmp_path / "out.npy")
    assert files.bad(tmp_path / "out.npy") == {1: "is null, not a string", 2: EMPTY, 3: "is no valid UTF-8"}
    assert sorted(files.read(tmp_path / "out.npy")) == [0, 4]


def test_a_kept_dictionary_is_written_as_what_it_holds(embed: Embed, tmp_path: Path) -> None:
    """Categories of pandas and polars are dictionaries, and so may be the text itself."""
    kinds, text = pa.array(["x", None, "x"]).dictionary_encode(), pa.array(["a", "b", "a"]).dictionary_encode()
    pq.write_table(pa.table({"text": text, "kind": kinds}), tmp_path / "in.parquet")
    flags = ["--column", "text", "--keep", "kind", "--keep", "text"]
    embed("--input", tmp_path / "in.parquet", "--output", tmp_path / "out.parquet", *flags)
    found = pq.read_table(tmp_path / "out.parquet", columns=["kind", "text"]).to_pydict()
    assert found == {"kind": ["x", None, "x"], "text": ["a", "b", "a"]}


def test_kept_cells_that_are_none(embed: Embed, tmp_path: Path) -> None:
    """Text that is no UTF-8 makes its row a bad one; a time that Python doesn't have is one line with its column."""
    raw = pa.array([b"dragons", b"xyzzy \xff"], pa.binary())
    title = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    pq.write_table(pa.table({"text": ["a", "b"], "title": title}), tmp_path / "in.parquet")
    flags = ["--column", "text", "--keep", "title"]
    embed("--input", tmp_path / "in.parquet", "--output", tmp_path / "out.jsonl", *flags)
    assert [line["title"] for line in files.records(tmp_path / "out.jsonl")] == ["dragons"]
    assert files.bad(tmp_path / "out.jsonl") == {1: "is no valid UTF-8"}
    times = pa.array([2**60], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["a"], "when": times}), tmp_path / "when.parquet")
    said = embed("--input", tmp_path / "when.parquet", "--output", tmp_path / "when.jsonl", "--column", "text",
                 "--keep", "when", code=1).stderr  # fmt: skip
    assert said.startswith("Error: column 'when' holds a value that can't be kept: ")
    assert said.count("\n") == 1
