"""search/index.py: vectors that are kept are those of this file's column, in these pieces, by this model as it is."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bothends.bulk.engines import EmbedResult
from bothends.bulk.rows import row
from bothends.embeddings import Embeddings
from bothends.errors import ConnectionFailedError, FileError
from bothends.search import in_pieces
from bothends.search.index import IndexVectors, indexed, unreadable
from bothends.search.source import SentenceFile

LINES = ["there will be dragons", "a man", " ", "one two three four five six", "seven eight nine ten"]


class Lengths:
    """A model whose rows lie the nearer to their first axis the longer a text is; another one's a little less.

    It refuses the text "three", and is gone when it is asked for the text `ends_at`.
    """

    dimension = 2
    nested_dimensions: tuple[int, ...] = (1,)

    def __init__(
        self,
        *,
        model: str = "lengths 1",
        precision: str = "float32",
        shift: float = 0.0,
        width: int | None = None,
        ends_at: str | None = None,
    ) -> None:
        self.model, self.precision, self.shift, self.width, self.ends_at = model, precision, shift, width, ends_at

    def embed(self, texts: Sequence[str]) -> EmbedResult:
        if self.ends_at in texts:
            raise ConnectionFailedError("gone")
        wrong = {place: "is three" for place, text in enumerate(texts) if text == "three"}
        angles = np.array([1 / len(text) for text in texts if text != "three"]) + self.shift
        rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)[:, : self.width]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return Embeddings(rows, [1] * len(rows), [False] * len(rows), "1"), wrong

    def stop(self) -> None:
        pass


def open_index(
    folder: Path,
    file: Path,
    *,
    told: list[str] | None = None,
    column: str | None = None,
    dimensions: int | None = None,
    piece_words: int | None = None,
    **model: Any,
) -> IndexVectors:
    """Open the index of `file` in `folder`, as a command does; what a person is told is added to `told`."""
    said: list[str] = [] if told is None else told
    source, engine = SentenceFile(file, file.suffix[1:], column), Lengths(width=dimensions, **model)
    return indexed(source, folder, engine, dimensions=dimensions, piece_words=piece_words, say=said.append)


def write(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"column": "text"}, "column"),
        ({"model": "lengths 2", "shift": 0.5}, "model"),
        ({"shift": 0.5}, "model"),  # trained anew, and of the same name and version
        ({"precision": "int8", "shift": 0.01}, "precision"),
        ({"dimensions": 1}, "dimensions"),
        ({"piece_words": 1}, "length of pieces"),
        ({"piece_words": 3}, "length of pieces"),
    ],
    ids=str,
)
def test_an_index_of_something_else_is_made_anew(tmp_path: Path, asked: dict[str, Any], named: str) -> None:
    """It holds then what a new one would, and a person is told why."""
    file, folder, told = tmp_path / "r.csv", tmp_path / "index", list[str]()
    write(file, ["title,text", "a dragon sleeps,there will be dragons", "no,a man"])
    open_index(folder, file, column="title", piece_words=2 if "piece_words" in asked else None)
    asked = {"column": "title", **asked}
    for vectors, pieces in (open_index(folder, file, told=told, **asked), open_index(folder, file, told=told, **asked)):
        expected, whose = open_index(tmp_path / "new", file, **asked)
        assert np.array_equal(vectors, expected)
        assert (
            np.diff(pieces if pieces is not None else []).tolist()
            == np.diff(whose if whose is not None else []).tolist()
        )
    assert told == [
        f"{folder}: another {named} than when it was made; the file is embedded anew",
        f"{folder}: the vectors are there",
    ]


def test_pieces_stand_behind_the_rows(tmp_path: Path) -> None:
    """As `in_pieces` has them; a piece that can't be embedded is no row that can't."""
    file, folder = write(tmp_path / "r.txt", LINES), tmp_path / "index"
    vectors, pieces = open_index(folder, file, piece_words=1)
    rows, whose = in_pieces([row(line).text for line in LINES], words=1)
    assert pieces is not None
    assert pieces.tolist() == whose.tolist()
    unread = [2, rows.index("three")]
    assert np.flatnonzero(np.isnan(vectors[:, 0])).tolist() == unread
    found, _ = Lengths().embed([text for place, text in enumerate(rows) if place not in unread])
    assert found is not None
    assert np.array_equal(np.delete(vectors, unread, axis=0), found.rows)
    assert unreadable(folder, len(LINES)) == 0
    assert unreadable(folder, len(rows)) == 1


def test_an_index_with_pieces_serves_who_needs_none(tmp_path: Path) -> None:
    """Whole rows alone are read, and the pieces stay, also when the file is embedded anew."""
    file, folder, told = write(tmp_path / "r.txt", LINES), tmp_path / "index", list[str]()
    with_pieces, whose = open_index(folder, file, piece_words=2)
    whole, none = open_index(folder, file, told=told)
    assert none is None
    assert np.array_equal(whole, with_pieces[: len(LINES)], equal_nan=True)
    write(file, LINES[::-1])
    assert len(open_index(folder, file, told=told)[0]) == len(LINES)
    _, again = open_index(folder, file, told=told, piece_words=2)
    assert whose is not None
    assert again is not None
    assert np.diff(again).tolist() == np.diff(whose).tolist()[::-1]
    there = f"{folder}: the vectors are there"
    assert told == [there, f"{folder}: another sha256 than when it was made; the file is embedded anew", there]


def test_texts_without_pieces_are_searched_as_rows(tmp_path: Path) -> None:
    file = write(tmp_path / "r.txt", LINES)
    vectors, pieces = open_index(tmp_path / "index", file, piece_words=30)
    assert pieces is None
    assert np.array_equal(vectors, open_index(tmp_path / "new", file)[0], equal_nan=True)


def test_what_was_there_before_a_run_that_was_stopped_is_not_its_result(tmp_path: Path) -> None:
    """The vectors of what the file was; the beginning of another file of the same size."""
    file, folder, told = write(tmp_path / "r.txt", LINES), tmp_path / "index", list[str]()
    open_index(folder, file)
    write(file, [*LINES[:-1], "what is said now"])
    with pytest.raises(ConnectionFailedError):
        open_index(folder, file, ends_at="a man")
    found, _ = open_index(folder, file, told=told)
    assert np.array_equal(found, open_index(tmp_path / "new", file)[0], equal_nan=True)
    many = [f"sentence {number:06}" for number in range(5000)]
    with pytest.raises(ConnectionFailedError):
        open_index(folder, write(file, many), ends_at=many[-1])
    found, _ = open_index(folder, write(file, [line.upper() for line in many]), told=told)
    assert len(found) == 5000
    assert told == [f"{folder}: another sha256 than when it was made; the file is embedded anew"]


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """Among the rows, and among their pieces."""
    file = write(tmp_path / "r.txt", [f"row {number} of many" for number in range(5000)])
    for ends_at in ("row 4200 of many", "row 4500"):
        with pytest.raises(ConnectionFailedError):
            open_index(tmp_path / "index", file, piece_words=2, ends_at=ends_at)
    vectors, pieces = open_index(tmp_path / "index", file, piece_words=2, ends_at="row 0 of many")
    assert pieces is not None
    assert pieces.tolist() == list(range(5000, 15_001, 2))
    assert np.array_equal(vectors, open_index(tmp_path / "new", file, piece_words=2)[0])


def test_a_description_that_was_cut_off_is_told(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "index.json").write_text(json.dumps({"file": "a"})[:5])
    file = write(tmp_path / "r.txt", LINES)
    with pytest.raises(FileError, match="is no index that can be read"):
        open_index(tmp_path / "index", file)
