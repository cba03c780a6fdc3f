"""Changes what a sentence states by one word: a figure, a name, an opposite, a "not"; or only a word's spelling, or
only what stands before it.

Each function takes a sentence and a random generator, and returns the sentence unchanged if it finds nothing to change.
"""

import random
import re
from collections.abc import Callable

from .compose import pieces
from .lexicon import FUNCTION_WORDS
from .names import NAME_KINDS, NAMES, OPPOSITES

_FIGURE = re.compile(r"(?<![\w.,:-])\d+(?:[.,]\d+)*(?![\w:-])")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_WORD = re.compile(r"[a-z]{4,}")
_BE = re.compile(
    r"\b(?:am|is|are|was|were|can|could|will|would|should|does|did|has|have|had|must|may|might|do)\b(?! not\b)(?!n)"
)
_NOT = re.compile(r"\s+not\b(?! only)|(?<=[a-z])n['’]t\b")
_STEMS = {"ca": "can", "wo": "will", "Ca": "Can", "Wo": "Will"}
_STEM = re.compile(r"\b(?:ca|wo|Ca|Wo)\b")
_BEFORE = (
    "As far as I know,",
    "As you may know,",
    "At the end of the day,",
    "By the way,",
    "For your information,",
    "I heard that",
    "I think that",
    "I would add that",
    "In any case,",
    "In other words,",
    "It is known that",
    "It should be said that",
    "Listen:",
    "Note that",
    "People say that",
    "Remember that",
    "They told me that",
    "Well,",
    "You see,",
)
"""What may stand before a statement and adds nothing to it."""
_BEFORE_QUESTIONS = ("Could you tell me:", "Does anybody know:", "Excuse me,", "I have to ask:", "So,", "Well then,")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def change_figure(sentence: str, chance: random.Random) -> str:
    """Replace a figure by another of the same form: "in 1969" becomes "in 1978", "3.5 km" becomes "7.1 km"."""
    found = list(_FIGURE.finditer(sentence))
    if not found:
        return sentence
    index = chance.choice(found)
    figure = index.group()
    for _ in range(8):
        other = _year(figure, chance) if _YEAR.fullmatch(figure) else _digits(figure, chance)
        if other != figure:
            return sentence[: index.start()] + other + sentence[index.end() :]
    return sentence


def _year(year: str, chance: random.Random) -> str:
    """Another year of the same century, and none that is still far off."""
    return year[:2] + chance.choice("012" if year[:2] == "20" else "0123456789") + chance.choice("0123456789")


def _digits(figure: str, chance: random.Random) -> str:
    """Return a random number with as many digits, the first of which isn't zero."""
    return "".join(str(chance.randint(index == 0, 9)) if d.isdigit() else d for index, d in enumerate(figure))


def change_name(sentence: str, chance: random.Random) -> str:
    """Replace a name by another of its kind: "Tom flew to Paris" becomes "Tom flew to Cairo"."""
    found = pieces(sentence)
    places = [index for index, piece in enumerate(found) if piece in NAME_KINDS]
    if not places:
        return sentence
    index = chance.choice(places)
    found[index] = chance.choice([name for name in NAMES[NAME_KINDS[found[index]]] if name != found[index]])
    return "".join(found)


def oppose(sentence: str, chance: random.Random) -> str:
    """Replace a word by its opposite: "prices rose" becomes "prices fell"."""
    found = pieces(sentence)
    places = [index for index, piece in enumerate(found) if piece.lower() in OPPOSITES]
    if not places:
        return sentence
    index = chance.choice(places)
    other = chance.choice(OPPOSITES[found[index].lower()])
    found[index] = other.capitalize() if found[index][0].isupper() else other
    return "".join(found)


def negate(sentence: str, chance: random.Random) -> str:
    """Remove the sentence's "not", or add one after its first auxiliary verb, if it has either."""
    if _NOT.search(sentence):
        return _STEM.sub(lambda stem: _STEMS[stem.group()], _NOT.sub("", sentence, count=1), count=1)
    if found := _BE.search(sentence):
        ending = " not" if chance.random() < 0.7 else "n't" if found.group() not in {"am", "may", "might"} else " not"
        verb = {"can": "ca", "will": "wo"}.get(found.group(), found.group()) if ending == "n't" else found.group()
        return sentence[: found.start()] + verb + ending + sentence[found.end() :]
    return sentence


def misspell(sentence: str, chance: random.Random) -> str:
    """Misspell one word of four letters or more: a letter is dropped, doubled, swapped with the next, or mistyped."""
    found = list(_WORD.finditer(sentence))
    if not found:
        return sentence
    index = chance.choice(found)
    word = index.group()
    at = chance.randrange(0 if chance.random() < 0.1 else 1, len(word) - 1)
    letter, rest = word[at], word[at + 1 :]
    spelt = chance.choice((
        word[:at] + rest,
        word[:at] + letter + letter + rest,
        word[:at] + rest[:1] + letter + rest[1:],
        word[:at] + chance.choice(_beside(letter)) + rest,
    ))  # fmt: skip
    return sentence[: index.start()] + spelt + sentence[index.end() :]


def introduce(sentence: str, chance: random.Random) -> str:
    """Put words in front that add nothing: "The shop is open" becomes "I heard that the shop is open"."""
    before = chance.choice(_BEFORE_QUESTIONS if sentence.endswith("?") else _BEFORE)
    first = sentence.partition(" ")[0]
    is_name = first == "I" or first.lower() not in FUNCTION_WORDS
    return f"{before} {sentence if is_name else sentence[0].lower() + sentence[1:]}"


def _beside(letter: str) -> str:
    """The keys on both sides of a letter's."""
    (row,) = (row for row in _KEYS if letter in row)
    at = row.index(letter)
    return row[max(0, at - 1) : at] + row[at + 1 : at + 2]


SWAPS: tuple[Callable[[str, random.Random], str], ...] = (change_figure, change_name, oppose, negate)
"""Functions that change what is stated."""


def swap(sentence: str, chance: random.Random, *, copies: int) -> list[str]:
    """Return up to `copies` altered sentences, each made by another of SWAPS; figures and names come first."""
    order = sorted(SWAPS, key=lambda alter: (alter not in {change_figure, change_name}, chance.random()))
    tried = (alter(sentence, chance) for alter in order)
    return [copy for copy in tried if copy != sentence][:copies]
