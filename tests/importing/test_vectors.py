"""Word vectors from text: the words that are wanted, their numbers, and one line for what is wrong."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends_importing.source import SourceError
from bothends_importing.vectors import Vectors, read_max_frequent, read_words

SIZE = 3
LINES = ["the 0.25 -1 2.5e-3", ", 1 2 3", "dragons 4 5 6", "the 7 8 9", "<s> 0.1 0.2 0.3", "rare 1 1 1", "</s> 0 0 0"]
TEXT = "\n".join(LINES) + "\n"


def written(folder: Path, text: str | bytes = TEXT, *, name: str = "glove.txt") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def as_infersent_reads(file: Path, words: set[str]) -> dict[str, NDArray[np.float64]]:
    """Vectors that get_w2v finds, by its rules: each line cut at the first space, the last line of a word kept."""
    found = {}
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            word, rest = line.split(" ", 1)
            if word in words:
                found[word] = np.array([float(number) for number in rest.split()])
    return found


def as_dict(vectors: Vectors) -> dict[str, list[float]]:
    return {word: row.tolist() for word, row in zip(vectors.words, vectors.table, strict=True)}


def test_wanted_words_have_the_vectors_that_infersent_gives_them(tmp_path: Path) -> None:
    """A word that stands twice has its last vector."""
    file = written(tmp_path)
    found = read_words(file, ["the", "dragons", "<s>", "</s>", "unheard"], size=SIZE)
    expected = as_infersent_reads(file, {"the", "dragons", "<s>", "</s>", "unheard"})
    assert found.table.dtype == np.float32
    assert as_dict(found) == {word: row.astype(np.float32).tolist() for word, row in expected.items()}
    assert as_dict(found)["the"] == [7, 8, 9]


def test_the_max_frequent_are_the_first(tmp_path: Path) -> None:
    """The marks come along, wherever they stand."""
    found = read_max_frequent(written(tmp_path), 2, marks=["<s>", "</s>"], size=SIZE)
    assert found.words == ["the", ",", "<s>", "</s>"]
    assert as_dict(found)["the"] == np.array([0.25, -1, 2.5e-3], np.float32).tolist()


def test_no_line_is_read_that_needs_not_be(tmp_path: Path) -> None:
    """A fault behind the last line to read isn't looked at."""
    file = written(tmp_path, "the 1 2 3\n<s> 1 2 3\n</s> 1 2 3\nbroken 1 2\n")
    assert read_max_frequent(file, 1, marks=["<s>", "</s>"], size=SIZE).words == ["the", "<s>", "</s>"]
    with pytest.raises(SourceError, match="line 4"):
        read_max_frequent(file, 4, marks=[], size=SIZE)


def test_fasttext_s_first_line_is_no_word(tmp_path: Path) -> None:
    """Spaces at the ends of fastText's lines are no numbers, either."""
    file = written(tmp_path, "2 3\nthe 1 2 3 \n2 4 5 6 \n", name="crawl.vec")
    assert as_dict(read_max_frequent(file, 5, marks=[], size=SIZE)) == {"the": [1, 2, 3], "2": [4, 5, 6]}
    assert read_words(file, ["2"], size=SIZE).table.tolist() == [[4, 5, 6]]


def test_a_file_that_is_cut_off_is_noticed_where_it_is_read_to_its_end(tmp_path: Path) -> None:
    """fastText's first line says how many vectors follow; the most frequent words need only the file's start."""
    file = written(tmp_path, "9 3\nthe 1 2 3\nof 4 5 6\n", name="crawl.vec")
    with pytest.raises(SourceError, match="holds 2 vectors, and its first line says 9"):
        read_words(file, ["the"], size=SIZE)
    assert read_max_frequent(file, 2, marks=[], size=SIZE).words == ["the", "of"]


def test_words_with_spaces_are_passed_over(tmp_path: Path) -> None:
    """Lines such as glove.840B has, where a word holds a space, name no word; neither is `.` or `at` one."""
    text = ". . . 1 1 1\nat name@domain.com 2 2 2\n.\u00a0. 3 3 3\n. 4 4 4\nat 5 5 5\n"
    file = written(tmp_path, text)
    assert as_dict(read_words(file, [".", "at", ".\u00a0."], size=SIZE)) == {
        ".\u00a0.": [3, 3, 3], ".": [4, 4, 4], "at": [5, 5, 5],
    }  # fmt: skip
    assert read_max_frequent(file, 5, marks=[], size=SIZE).words == [".\u00a0.", ".", "at"]


def test_packed_files_are_read_as_they_are(tmp_path: Path) -> None:
    plain = as_dict(read_words(written(tmp_path), ["the", "rare"], size=SIZE))
    packed = tmp_path / "glove.txt.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    archive = tmp_path / "glove.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("glove.txt", TEXT)
    for file in (packed, archive):
        assert as_dict(read_words(file, ["the", "rare"], size=SIZE)) == plain
        assert read_max_frequent(file, 2, marks=["</s>"], size=SIZE).words == ["the", ",", "</s>"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the 1 2 3\nof 1 2\n", r"glove\.txt, line 2: 2 numbers stand after the word, and 3 were expected"),
        ("the 1 2 x\n", r"line 1: 'x' is no number; a line is a word and 3 numbers"),
        ("the 1 nan 3\n", r"line 1: the vector holds NaN or infinite"),
        ("caf\u00e9 1 2 3\n".encode("latin-1"), r"line 1: no UTF-8 text .*; convert the file to UTF-8"),
        ("", "has a vector for none of the words"),
        ("3 3\n", r"glove\.txt holds 0 vectors, and its first line says 3: it is cut off"),
        ("1 3\nthe 1 2 3\nof 4 5 6\n", r"glove\.txt holds 2 vectors, and its first line says 1"),
        ("1 4\nthe 1 2 3 4\n", r"line 1: its vectors have 4 numbers, and the encoder reads 3; these aren't"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_max_frequent(written(tmp_path, text), 9, marks=[], size=SIZE)


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.txt can't be read: No such file"):
        read_words(tmp_path / "none.txt", ["a"], size=SIZE)
    with pytest.raises(SourceError, match=r"glove\.gz can't be read: Not a gzipped file"):
        read_words(written(tmp_path, name="glove.gz"), ["a"], size=SIZE)
    cut = written(tmp_path, gzip.compress(TEXT.encode())[:-9], name="cut.gz")
    with pytest.raises(SourceError, match=r"cut\.gz can't be read"):
        read_words(cut, ["a"], size=SIZE)
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 50)
    with pytest.raises(SourceError, match=r"broken\.gz can't be read: .*invalid block type"):
        read_words(broken, ["a"], size=SIZE)
    with zipfile.ZipFile(tmp_path / "locked.zip", "w") as made:
        made.writestr("a.txt", TEXT)
    content = bytearray((tmp_path / "locked.zip").read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + flags] |= 1  # it says that it is encrypted
    (tmp_path / "locked.zip").write_bytes(content)
    with pytest.raises(SourceError, match=r"locked\.zip can't be read: .*encrypted"):
        read_words(tmp_path / "locked.zip", ["a"], size=SIZE)
    with pytest.raises(SourceError, match=r"glove\.zip can't be read: File is not a zip"):
        read_words(written(tmp_path, name="glove.zip"), ["a"], size=SIZE)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as made:
        made.writestr("a.txt", TEXT)
        made.writestr("b.txt", TEXT)
    with pytest.raises(SourceError, match="holds 2 files, not one; unpack it"):
        read_words(tmp_path / "two.zip", ["the"], size=SIZE)
    with pytest.raises(SourceError, match="has a vector for none of the words"):
        read_words(written(tmp_path), ["unheard"], size=SIZE)
