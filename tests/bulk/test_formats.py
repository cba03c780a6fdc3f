"""Every format in to every format out, read back by other programs than the one that wrote it."""

import datetime
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bothends import Encoder
from bothends.bulk.formats import readers
from bothends.bulk.formats.source import Source

from . import files
from .conftest import Embed, lines

HARD = ["plain", 'quo"ted', "comma, semi; tab\there", "Ünïcödé — 漢字 🐉", "a\u2028b\x85c", "back\\slash", " padded "]
CELLS = [*HARD, "two\nlines", "old\rmac", "dos\r\nline", '"', 'ends in quote"', "\x00nul", "1.5", "null"]


@pytest.mark.parametrize("output", files.OUTPUTS)
@pytest.mark.parametrize("kind", files.INPUTS)
def test_every_pair(embed: Embed, encoder: Encoder, tmp_path: Path, kind: str, output: str) -> None:
    """The very bits that the encoder gives, one row a sentence, and nothing left beside them."""
    texts = [*(HARD if kind.startswith("txt") else CELLS), *lines(50)]
    source = files.write(tmp_path / f"in.{kind}", texts, kind)
    made = tmp_path / f"out.{output}"
    column = [] if kind.startswith("txt") else ["--column", "text"]
    said = embed("--input", source, "--output", made, *column).stderr
    assert f"{len(texts)} rows by toy 1.0" in said
    rows = encoder.encode(texts)
    assert np.array([files.read(made)[index] for index in range(len(texts))], np.float32).tobytes() == rows.tobytes()
    assert files.beside(made) == []


@pytest.mark.parametrize("encoding", ["float32", "float16", "int8", "sign_bits"])
@pytest.mark.parametrize("output", files.OUTPUTS)
def test_every_encoding(embed: Embed, encoder: Encoder, tmp_path: Path, output: str, encoding: Any) -> None:
    """As the encoder gives it, with scales beside int8; npy has no place for those and says so."""
    texts = lines(30)
    source, made = files.write(tmp_path / "in.txt", texts, "txt"), tmp_path / f"out.{output}"
    flags = ["--input", source, "--output", made, "--encoding", encoding, "--normalize"]
    if (output, encoding) == ("npy", "int8"):
        assert "no place for the scales of int8" in embed(*flags, code=2).stderr
        return
    embed(*flags)
    right = encoder.embed(texts, encoding=encoding, normalize=True)
    if output == "npy":
        assert np.load(made).dtype == right.rows.dtype
        assert np.load(made).tobytes() == right.rows.tobytes()
        return
    found = files.records(made)
    assert np.array([each["embedding"] for each in found], right.rows.dtype).tobytes() == right.rows.tobytes()
    assert [each["token_count"] for each in found] == right.token_counts
    if right.scales is not None:
        assert np.array([each["scale"] for each in found], np.float32).tobytes() == right.scales.tobytes()
    if output == "parquet":
        kind = pq.read_schema(made).field("embedding").type
        assert kind == pa.list_(pa.from_numpy_dtype(right.rows.dtype), right.rows.shape[1])


@pytest.mark.parametrize("output", ["jsonl", "parquet"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_columns_are_kept(embed: Embed, tmp_path: Path, kind: str, output: str) -> None:
    """Beside the row's number; of csv as strings, of JSON into Parquet too, of Parquet with their types."""
    texts = ["a man", "", "dragons"]
    source = files.write(tmp_path / f"in.{kind}", texts, kind)
    made = tmp_path / f"out.{output}"
    embed("--input", source, "--output", made, "--column", "text", "--keep", "id", "--keep", "text")
    found = [(each["row"], each["id"], each["text"]) for each in files.records(made)]
    as_text = kind == "csv" or (kind, output) == ("jsonl", "parquet")
    assert found == [(row, str(row) if as_text else row, texts[row]) for row in (0, 2)]
    assert files.bad(made) == {1: "is empty; a sentence needs at least one word"}


def test_kept_values_of_any_type(embed: Embed, tmp_path: Path) -> None:
    """What JSON can say stays what it is, beyond 64 bits too; what it can't becomes text."""
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


def test_boms_line_ends_and_a_last_line_without(embed: Embed, encoder: Encoder, tmp_path: Path) -> None:
    """Neither belongs to a sentence or to a column's name."""
    (tmp_path / "in.txt").write_bytes(b"\xef\xbb\xbfa man\r\ndragons")
    (tmp_path / "in.csv").write_bytes(b'\xef\xbb\xbftext,n\r\n"a man",1\r\n\r\ndragons,2')
    right = encoder.encode(["a man", "dragons"])
    for name in ("in.txt", "in.csv"):
        embed("--input", tmp_path / name, "--output", tmp_path / f"{name}.npy")
        assert np.load(tmp_path / f"{name}.npy").tobytes() == right.tobytes()


def test_utf_16_is_refused_by_its_name(embed: Embed, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("dragons\n", encoding="utf-16")
    said = embed("--input", tmp_path / "in.txt", "--output", tmp_path / "out.npy", code=1).stderr
    assert "is UTF-16; convert it" in said


@pytest.mark.parametrize("output", files.OUTPUTS)
def test_an_empty_file_gives_an_empty_one(embed: Embed, tmp_path: Path, output: str) -> None:
    (tmp_path / "in.txt").write_bytes(b"")
    embed("--input", tmp_path / "in.txt", "--output", tmp_path / f"out.{output}")
    assert files.read(tmp_path / f"out.{output}") == {}


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


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=8), st.sampled_from(["csv", "tsv", "jsonl"]))
def test_any_text_is_read_back(tmp_path: Path, texts: list[str], kind: str) -> None:
    """Whatever Python's own writers quote and escape; what is blank is told, and no row moves another's."""
    path = files.write(tmp_path / f"in.{kind}", texts, kind)
    with Source(path) as source:
        if kind == "jsonl":
            found = list(readers.objects(source, "text", ["id"]).rows)
        else:
            found = list(readers.table(source, "text", ["id"], delimiter="\t" if kind == "tsv" else ",").rows)
    assert [str(row.kept[0]) for row in found if row] == [str(index) for index in range(len(texts))]
    for row, text in zip(found, texts, strict=True):
        assert row is not None
        assert (row.text, row.problem is None) == (("", False) if text.isspace() else (text, True))


def test_a_broken_gzip_file_is_one_line(embed: Embed, tmp_path: Path) -> None:
    whole = gzip.compress("\n".join(lines(3000)).encode())
    for name, content in (("cut", whole[:-900]), ("no", b"dragons\n" * 99)):
        (tmp_path / f"{name}.txt.gz").write_bytes(content)
        said = embed("--input", tmp_path / f"{name}.txt.gz", "--output", tmp_path / f"{name}.npy", code=1).stderr
        assert said.startswith("Error: ")
        assert said.count("\n") == 1
