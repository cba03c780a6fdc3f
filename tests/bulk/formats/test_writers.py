"""Every format in and every format out, read back by other programs than the one that wrote it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bothends import Encoder
from tests.bulk import files
from tests.bulk.conftest import Embed, lines

HARD = ["plain", 'quo"ted', "comma, semi; tab\there", "Ünïcödé — 漢字 🐉", "a\u2028b\x85c", "back\\slash", " padded "]


CELLS = [*HARD, "two\nlines", "old\rmac", "dos\r\nline", '"', 'ends in quote"', "\x00nul", "1.5", "null"]


@pytest.mark.parametrize(
    ("kind", "output"), [*((kind, "jsonl") for kind in files.INPUTS), *(("csv", made) for made in files.OUTPUTS[1:])]
)
def test_every_format(embed: Embed, encoder: Encoder, tmp_path: Path, kind: str, output: str) -> None:
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
    """Numbers are the encoder's, with scales beside int8; npy has no place for those and says so."""
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


@pytest.mark.parametrize("output", files.OUTPUTS)
def test_an_empty_file_gives_an_empty_one(embed: Embed, tmp_path: Path, output: str) -> None:
    (tmp_path / "in.txt").write_bytes(b"")
    said = embed("--input", tmp_path / "in.txt", "--output", tmp_path / f"out.{output}", code=1).stderr
    assert said == f"Error: {tmp_path}/in.txt has no rows; nothing was embedded\n"
    assert files.read(tmp_path / f"out.{output}") == {}
