"""Cuts sections of prose into documents: a title and a passage of a few sentences, some short and some long."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..corpus import place
from ..lexicon import words

SHORTEST, LONGEST = 28, 190
"""Words of a passage: some 40 to 250 tokens."""
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”')]*\s+(?=[\"“'(]?[A-Z0-9])")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|Fig|No|Mr|Mrs|Dr|St|approx|pp?)|\b[A-Z])\.$")
_LETTER = re.compile(r"[A-Za-z]")
_COMMON = frozenset(words("the a an of to in is are and for that with on by be as it this or can you from"))


@dataclass(frozen=True, slots=True)
class Document:
    """Passage with its title, or with a question that it answers."""

    source: str
    title: str
    passage: str


def documents(source: str, sections: Iterable[tuple[str, list[str]]], *, max_documents: int) -> Iterator[Document]:
    """Yield up to `max_documents` documents, none of them twice.

    Neighbouring sentences under one title are joined to passages. A passage's length is chosen by a hash of its first
    words, from SHORTEST to LONGEST words, evenly on a logarithmic scale.
    """
    seen: set[str] = set()
    for title, paragraphs in sections:
        for passage in passages(paragraphs):
            if len(seen) == max_documents:
                return
            if passage not in seen and is_prose(passage):
                seen.add(passage)
                yield Document(source, title if 0 < len(title.split()) <= 25 and title != "Contents" else "", passage)


def passages(paragraphs: Iterable[str]) -> Iterator[str]:
    """Yield whole sentences of the paragraphs, joined in order; a remainder of fewer than SHORTEST words is left
    out.
    """
    held: list[str] = []
    size, aim = 0, 0.0
    for sentence in (sentence for paragraph in paragraphs for sentence in sentences(paragraph)):
        words = len(sentence.split())
        if held and size + words > LONGEST:
            if size >= SHORTEST:
                yield " ".join(held)
            held, size = [], 0
        if not held:
            aim = SHORTEST * (LONGEST / SHORTEST) ** place(sentence)
        if words <= LONGEST:
            held.append(sentence)
            size += words
        if size >= aim:
            yield " ".join(held)
            held, size = [], 0
    if size >= SHORTEST:
        yield " ".join(held)


def sentences(paragraph: str) -> list[str]:
    """Split a paragraph into sentences, at end marks that a capital letter follows."""
    found: list[str] = []
    for part in _SENTENCE_END.split(paragraph.strip()):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] += " " + part
        elif part:
            found.append(part)
    return found


def is_prose(text: str) -> bool:
    """Return True if the text looks like English prose: mostly letters, sentences that end, and a tenth common words.

    The share of common words excludes lists of links.
    """
    found = text.lower().split()
    ends = sum(word.endswith((".", "!", "?", ";", ":")) for word in found)
    letters = len(_LETTER.findall(text)) / max(1, len(text))
    common = sum(word in _COMMON for word in found) / max(1, len(found))
    varied = len(set(found)) / max(1, len(found))
    return letters > 0.7 and common > 0.1 and varied > 0.4 and ends * 45 > len(found) and "\t" not in text
