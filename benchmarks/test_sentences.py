"""Sentences to measure with: from Python's documentation, and from a file."""

from pathlib import Path

import sentences


def test_every_python_carries_enough_sentences() -> None:
    """A fresh clone has no corpus; its sentences are prose, distinct, of 3 to 60 words."""
    found = list(sentences.from_documentation())
    assert len(set(found)) > 2000
    assert all(3 <= len(text.split()) <= 60 and text[-1] in ".!?" for text in found)


def test_a_file_of_sentences_is_read_with_and_without_sources(tmp_path: Path) -> None:
    file = tmp_path / "some.tsv"
    file.write_text("a source\tA man sings.\nA man sings.\n\nA woman plays.\n")
    assert sentences.load(file).texts == ["A man sings.", "A woman plays."]
