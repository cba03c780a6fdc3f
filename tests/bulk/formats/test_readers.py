"""Rows read from lines: any text that other programs write is read back."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bothends import Encoder
from bothends.bulk.formats import readers
from bothends.bulk.formats.source import Source
from tests.bulk import files
from tests.bulk.conftest import Embed


def test_boms_line_ends_and_a_last_line_without(embed: Embed, encoder: Encoder, tmp_path: Path) -> None:
    """Byte order marks and line ends belong to no sentence and to no column's name."""
    (tmp_path / "in.txt").write_bytes(b"\xef\xbb\xbfa man\r\ndragons")
    (tmp_path / "in.csv").write_bytes(b'\xef\xbb\xbftext,n\r\n"a man",1\r\n\r\ndragons,2')
    right = encoder.encode(["a man", "dragons"])
    for name in ("in.txt", "in.csv"):
        embed("--input", tmp_path / name, "--output", tmp_path / f"{name}.npy")
        assert np.load(tmp_path / f"{name}.npy").tobytes() == right.tobytes()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
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


def test_a_blank_first_line_of_json_is_a_row(embed: Embed, tmp_path: Path) -> None:
    """A bad one, as a blank line anywhere else: the others keep their numbers."""
    (tmp_path / "in.jsonl").write_bytes(b'\n{"text": "dragons"}\n')
    embed("--input", tmp_path / "in.jsonl", "--column", "text", "--output", tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy").shape[0] == 2
    assert list(files.bad(tmp_path / "out.npy")) == [0]
