"""The sentences that the benchmark sends: from a file, from the training corpus, or from Python's own documentation."""

import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

CORPUS = Path(__file__).parent.parent / "training" / "corpus" / "sentences.tsv.xz"
_MOST = 20_000
_WORDS = range(3, 61)
_WORDS_OF_PROSE = 0.5
"""Least share of a sentence's words that must be letters alone."""
_MARKUP = re.compile(r'[*`"]|\[\d+\]')
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Sentences:
    """Distinct sentences and where they are from, in words for the report."""

    texts: list[str]
    source: str


def load(file: Path | None) -> Sentences:
    """Load at most 20,000 sentences: of `file` if given, else of the corpus where it is, else of Python's
    documentation.
    """
    if file is not None:
        return Sentences(_distinct(read(file)), file.name)
    if CORPUS.exists():
        return Sentences(_distinct(read(CORPUS)), "the training corpus")
    return Sentences(_distinct(from_documentation()), "the Python documentation that comes with Python")


def read(file: Path) -> Iterator[str]:
    """Yield the sentences of a text file, one a line, after the tab where there is one; compressed where its name ends
    in .xz.
    """
    with lzma.open(file, "rt", encoding="utf-8") if file.suffix == ".xz" else file.open(encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n").rpartition("\t")[2].strip()


def from_documentation() -> Iterator[str]:
    """Yield sentences of the prose behind Python's `help`, which every Python carries."""
    from pydoc_data.topics import topics  # half a megabyte that most runs don't need

    for _, topic in sorted(topics.items()):
        for paragraph in re.split(r"\n\s*\n", topic):
            whole = re.sub(r"(?<=\w)- (?=\w)", "-", " ".join(paragraph.split()))  # a word broken at its hyphen
            for sentence in _SENTENCE_END.split(whole):
                text = " ".join(_MARKUP.sub("", sentence).split())
                if len(text.split()) in _WORDS and _is_prose(text):
                    yield text


def _is_prose(text: str) -> bool:
    """Return whether the text goes from a capital to a full stop, and is words rather than code or grammar."""
    words = text.rstrip(".!?").replace(",", "").split()
    return text[:1].isupper() and text[-1:] in ".!?" and sum(map(str.isalpha, words)) >= _WORDS_OF_PROSE * len(words)


def _distinct(texts: Iterator[str]) -> list[str]:
    return list(islice(dict.fromkeys(text for text in texts if text), _MOST))
