"""Vocabulary files: the rows of their words, and one line that names file and line for what can't be read one way."""

from pathlib import Path

import pytest

from bothends_importing.tokenising.definition import TokenisingError
from bothends_importing.tokenising.vocabulary import read_allennlp, read_json, read_lines
from bothends_importing.tokenising.word_rules import WordRules
from bothends_importing.tokenising.words import tokenise_words

from .hard_texts import Ours


def _file(folder: Path, data: bytes, name: str = "vocab.txt") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


GLOVE = b"the 0.418 0.24968 -0.41242\n, 0.013441 0.23682 -0.16899\n. 0.15164 3.0177e-05 -1\n"


@pytest.mark.parametrize(("head", "leaving"), [(b"", ""), (b"3 3\n", ", without its first line")])
def test_word_vectors_are_no_vocabulary(tmp_path: Path, head: bytes, leaving: str) -> None:
    """Each line would be a word of its own, so that no text had any: GloVe's text is told, and fastText's."""
    with pytest.raises(TokenisingError) as told:
        read_lines(_file(tmp_path, head + GLOVE))
    assert "holds word vectors, as GloVe and fastText write them: a word and 3 numbers in each line" in str(told.value)
    assert str(told.value).endswith(f"cut -d' ' -f1 vocab.txt > words.txt{leaving}")


def test_a_word_a_line(tmp_path: Path) -> None:
    """Counts stand in all lines or none; unusual separators of lines are part of a word, as for Python's `open`."""
    for data in (
        b"a\nthe\n\xc3\xa9",
        b"a\r\nthe\r\n\xc3\xa9\r\n",
        b"a 7\nthe 5\n\xc3\xa9 1\n",
        b"a\t7\nthe\t5\n\xc3\xa9\t1\n",
    ):
        assert read_lines(_file(tmp_path, data)) == {"a": 0, "the": 1, "é": 2}
    assert read_lines(_file(tmp_path, b"a\nb\x0cc\nd\xe2\x80\xa8e\n"), unused=range(4)) == {
        "a": 4,
        "b\x0cc": 5,
        "d\u2028e": 6,
    }
    assert read_lines(_file(tmp_path, b"a 0\nthe 1\n")) == {"a": 0, "the": 1}
    assert read_lines(_file(tmp_path, b"a\nb\nc\n"), unused={0, 2}) == {"a": 1, "b": 3, "c": 4}
    assert read_lines(_file(tmp_path, b"7\n12\n")) == {"7": 0, "12": 1}
    assert read_lines(_file(tmp_path, b"New York 3\nLos Angeles 2\n")) == {"New York": 0, "Los Angeles": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "vocab.txt is empty"),
        (b"a 2\nb 0\nc 1\n", "the numbers behind its words are 0 to 2, each once, so they may be rows"),
        (b"a\nb\na\n", "vocab.txt:3: 'a' stands in line 1 too"),
        (b"a\nb\n\n", "vocab.txt:3: an empty line"),
        (b"a\n b\n", "vocab.txt:2: white space stands around ' b'"),
        (b"a 3\nb\nc 1\n", "vocab.txt:2: no count"),
        (b"\xef\xbb\xbfa\nb\n", "vocab.txt:1: starts with a byte order mark"),
        ("a\nb\n".encode("utf-16"), "vocab.txt:1: starts with a byte order mark"),
        (b"a\nb\r\nc\n", "vocab.txt:2: its end isn't that"),
        (b"a\rb\rc\r", "vocab.txt:1: its end isn't that"),
        (b"a\nb\n\xe9t\xe9\n", "vocab.txt:3: is no UTF-8 text"),
        (b"a\n\x1b[2J\n\x1b[2J\n", "vocab.txt:3: '\ufffd[2J' stands in line 2 too"),
    ],
)
def test_what_can_be_read_two_ways_is_refused_by_line(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(TokenisingError) as refused:
        read_lines(_file(tmp_path, data))
    assert message in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(TokenisingError, match="can't be read: No such file"):
        read_lines(tmp_path / "none.txt")


def test_json_gives_each_word_its_row(tmp_path: Path) -> None:
    """Rows may have gaps; the ids of the tokenizer.json have none."""
    words = read_json(_file(tmp_path, '{"the": 7, "é": 2, "": 0}'.encode()))
    assert words == {"the": 7, "é": 2, "": 0}
    tokenising = tokenise_words(words, WordRules("whitespace", False, None), rows=8)
    assert tokenising.rows == [2, 7]
    assert Ours(tokenising).rows("the  x é") == [7, 2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[1]", "holds a list"),
        (b'{"a": 0, "b": 1, "a": 2}', "'a' stands in it twice"),
        (b'{"a": "0"}', "the row of 'a' is 0"),
        (b'{"a": -1}', "the row of 'a' is -1"),
        (b'{"\\ud800": 1}', "no valid Unicode"),
        (b'{"a": ', "no JSON that can be used"),
        (b"[" * 100_000, "no JSON that can be used"),
    ],
)
def test_a_json_without_rows_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(TokenisingError) as refused:
        read_json(_file(tmp_path, data, "vocab.json"))
    assert message in str(refused.value)
    assert str(refused.value).isprintable()


def test_allennlps_folder_counts_from_one(tmp_path: Path) -> None:
    """Rows are those of AllenNLP's `Vocabulary.from_files`: row 0 is padding, @@UNKNOWN@@ stands in the file."""
    _file(tmp_path, b"*tags\n*labels\n", "non_padded_namespaces.txt")
    _file(tmp_path, b"@@UNKNOWN@@\nthe\n@@NEWLINE@@\n \n", "tokens.txt")
    words = read_allennlp(tmp_path)
    assert words == {"@@PADDING@@": 0, "@@UNKNOWN@@": 1, "the": 2, "\n": 3, " ": 4}
    tokenising = tokenise_words(words, WordRules("whitespace", True, "@@UNKNOWN@@"), rows=5)
    assert Ours(tokenising).rows("The dog") == [2, 1]


def test_allennlps_labels_are_no_vocabulary(tmp_path: Path) -> None:
    _file(tmp_path, b"*tags\n*labels\n", "non_padded_namespaces.txt")
    _file(tmp_path, b"a\nb\n", "tokens.txt")
    with pytest.raises(TokenisingError, match=r"tokens\.txt has no line @@UNKNOWN@@"):
        read_allennlp(tmp_path)
    with pytest.raises(TokenisingError, match="pos_tags is a namespace of labels"):
        read_allennlp(tmp_path, namespace="pos_tags")
