"""A row that can't be embedded costs itself only: it is in the side file, with a reason that holds nothing of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from bothends import Encoder
from tests.bulk import files
from tests.bulk.conftest import Embed

EMPTY = "is empty; a sentence needs at least one word"


TOLD_BY_NOBODY = "xyzzy"


LONG = "dragons " * 50  # the toy model reads 40 tokens


TXT = [
    (b"dragons", None),
    (b"", EMPTY),
    (b" \t \xc2\xa0", EMPTY),
    (b"xyzzy \xff\xfe", "is no valid UTF-8"),
    (b"\x00", "holds nothing that the model's tokenizer can read"),
    (b"xyzzy " * 11_000, "has 66000 characters; the limit is 65536"),
    (LONG.encode(), "has more than the 40 tokens that the model reads"),
    (b"a man", None),
]


JSONL = [
    (b'{"text": "dragons", "id": 1}', None),
    (b'{"text": "xyzzy", "id": 1', "is no JSON: Expecting ',' delimiter at character 25"),
    (b"", "is no JSON: Expecting value at character 0"),
    (b'"xyzzy"', "is no JSON object"),
    (b'{"id": "xyzzy"}', "has no column 'text'"),
    (b'{"text": null}', "is null, not a string"),
    (b'{"text": ["xyzzy"]}', "is no string (list)"),
    (b'{"text": 1.5}', "is no string (float)"),
    (b'{"text": "xyzzy \\ud800"}', "is no valid UTF-8"),
    (b'{"text": "xyzzy \xff"}', "is no valid UTF-8"),
    (b'{"text": "xyzzy", "id": NaN}', "is no JSON that can be read (ValueError)"),
    (b"[" * 100_000, "is no JSON that can be read (RecursionError)"),
    (b'{"text": ""}', EMPTY),
    (b'{"text": "a man", "more": {}}', None),
]


CSV = [
    (b"id,text", None),
    (b"1,dragons", None),
    (b"2", "has 1 cells where the header has 2"),
    (b"3,xyzzy, it said", "has 3 cells where the header has 2"),
    (b"4,", EMPTY),
    (b"5,xyzzy \xff", "is no valid UTF-8"),
    (b"xyzzy \xff,fine", "is no valid UTF-8"),
    (b'7,"' + b"xyzzy " * 30_000 + b'"', "is no CSV: field larger than field limit (131072)"),
    (b"8,a man", None),
]


@pytest.mark.parametrize("output", files.OUTPUTS)
@pytest.mark.parametrize(("kind", "rows"), [("txt", TXT), ("jsonl", JSONL), ("csv", CSV)], ids=["txt", "jsonl", "csv"])
def test_each_kind_is_told_and_the_others_embedded(
    embed: Embed, encoder: Encoder, tmp_path: Path, kind: str, rows: list[tuple[bytes, str | None]], output: str
) -> None:
    """The good ones are right and at their places; NaN stands for a bad one where each row has a place."""
    source, made = tmp_path / f"in.{kind}", tmp_path / f"out.{output}"
    source.write_bytes(b"\n".join(content for content, _ in rows) + b"\n")
    keep = ["--keep", "id"] if kind == "csv" and output != "npy" else []
    column = [] if kind == "txt" else ["--column", "text"]
    ended = embed("--input", source, "--output", made, "--truncation", "error", *column, *keep)
    reasons = [reason for _, reason in rows][1 if kind == "csv" else 0 :]
    if kind == "csv" and not keep:
        reasons[5] = None  # a cell that isn't used may hold anything
    told = files.bad(made)
    assert told == {row: reason for row, reason in enumerate(reasons) if reason}
    found = files.read(made)
    assert sorted([*told, *found]) == list(range(len(reasons)))
    for row, text in ((0, "dragons"), (len(reasons) - 1, "a man")):
        assert np.array(found[row], np.float32).tobytes() == encoder.encode(text).tobytes()
    assert f"{len(told)} have no vector" in ended.stderr
    assert TOLD_BY_NOBODY not in (made.parent / f"{made.name}.bad.jsonl").read_text() + ended.stderr + ended.stdout
    if output == "npy":
        assert np.load(made).shape == (len(reasons), encoder.dimension)


def test_an_input_of_bad_rows_only(embed: Embed, tmp_path: Path) -> None:
    for output in files.OUTPUTS:
        (tmp_path / "in.txt").write_bytes(b"\n\n\x00\n")
        made = tmp_path / f"out.{output}"
        said = embed("--input", tmp_path / "in.txt", "--output", made, code=1).stderr
        assert said == (
            f"Error: no row of {tmp_path}/in.txt holds text that can be embedded; is this a text file? "
            f"{made}.bad.jsonl says why of each.\n"
        )
        assert files.read(made) == {}
        assert sorted(files.bad(made)) == [0, 1, 2]


def test_cut_sentences_are_counted(embed: Embed, tmp_path: Path) -> None:
    """Sentences are never cut silently: the row says so where it can, and the last line always."""
    (tmp_path / "in.txt").write_text(f"dragons\n{LONG}\n", encoding="utf-8")
    said = embed("--input", tmp_path / "in.txt", "--output", tmp_path / "out.jsonl").stderr
    assert "1 were longer than the model reads and were cut" in said
    assert [each["truncated"] for each in files.records(tmp_path / "out.jsonl")] == [False, True]


def test_a_second_run_without_bad_rows_leaves_no_list_of_them(embed: Embed, tmp_path: Path) -> None:
    """The side file is about the output that it stands beside."""
    source, made = tmp_path / "in.txt", tmp_path / "out.npy"
    source.write_text("dragons\n\n", encoding="utf-8")
    embed("--input", source, "--output", made)
    assert files.beside(made) == ["out.npy.bad.jsonl"]
    source.write_text("dragons\n", encoding="utf-8")
    embed("--input", source, "--output", made, "--overwrite")
    assert files.beside(made) == []
    assert json.dumps(list(files.read(made))) == "[0]"
