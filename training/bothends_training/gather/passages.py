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
    """A passage with its title, or with a question that it answers."""

    source: str
    title: str
    passage: str


def documents(source: str, sections: Iterable[tuple[str, list[str]]], *, most: int) -> Iterator[Document]:
    """Documents of at most `most` passages, none twice: neighbouring sentences under one title joined to a length that
    their first words choose, evenly from SHORTEST words to LONGEST by the logarithm.
    """
    seen: set[str] = set()
    for title, paragraphs in sections:
        for passage in passages(paragraphs):
            if len(seen) == most:
                return
            if passage not in seen and is_prose(passage):
                seen.add(passage)
                yield Document(source, title if 0 < len(title.split()) <= 25 and title != "Contents" else "", passage)


def passages(paragraphs: Iterable[str]) -> Iterator[str]:
    """Whole sentences of the paragraphs, joined in their order; a rest of fewer than SHORTEST words is left out."""
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
    """The sentences of a paragraph, by their marks and the capital behind them."""
    found: list[str] = []
    for part in _SENTENCE_END.split(paragraph.strip()):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] += " " + part
        elif part:
            found.append(part)
    return found


def is_prose(text: str) -> bool:
    """Return whether the text is English prose by its looks: mostly letters, sentences that end, and a tenth of its
    words the commonest, none of which a list of links has.
    """
    found = text.lower().split()
    ends = sum(word.endswith((".", "!", "?", ";", ":")) for word in found)
    letters = len(_LETTER.findall(text)) / max(1, len(text))
    common = sum(word in _COMMON for word in found) / max(1, len(found))
    varied = len(set(found)) / max(1, len(found))
    return letters > 0.7 and common > 0.1 and varied > 0.4 and ends * 45 > len(found) and "\t" not in text
