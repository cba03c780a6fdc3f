"""Rewrites a sentence so that nearly the same words say something else, or other words say the same.

It changes who does what to whom, what has which property, how many there are, or whether it is true at all.

A noun phrase is found by a determiner and the words up to the next function word or verb; other phrases aren't altered.
Each function takes a sentence and a random generator, and returns the sentence unchanged if it finds nothing to alter.
"""

import itertools
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from .lexicon import (
    COUNTS,
    DETERMINERS,
    FUNCTION_WORDS,
    KIND_OF,
    KINDS,
    SINGULARS,
    article,
    is_plural,
    participle,
    plural,
)

_PIECE = re.compile(r"\w+(?:['’-]\w+)*|\W+")
_LONGEST = 4
"""Words of a noun phrase, the determiner among them."""
_IS_DOING = re.compile(r"^(is|are|was|were)( not)? (\w+ing)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Noun phrase: words `start` to `stop` (exclusive) in a list of a sentence's words and the gaps between them."""

    start: int
    stop: int
    words: tuple[str, ...]

    @property
    def modifiers(self) -> tuple[str, ...]:
        """Words between the determiner and the noun."""
        return self.words[1:-1]

    def modified(self, modifiers: tuple[str, ...]) -> str:
        """Return the phrase with other modifiers, and its article in agreement."""
        determiner, noun = self.words[0], self.words[-1]
        rest = (*modifiers, noun)
        if determiner.lower() in {"a", "an"} and modifiers != self.modifiers:
            determiner = article(rest[0]).capitalize() if determiner[0] == "A" else article(rest[0])
        return " ".join((determiner, *rest))


def pieces(sentence: str) -> list[str]:
    """Split a sentence into words and the gaps between them; joined, they give the sentence."""
    return _PIECE.findall(sentence)


def phrases(found: list[str]) -> list[Phrase]:
    """Return the noun phrases among the pieces of a sentence, in order."""
    result: list[Phrase] = []
    for start, piece in enumerate(found):
        if piece.lower() not in DETERMINERS or (result and start < result[-1].stop):
            continue
        stop = start + 1
        while (stop - start) // 2 + 1 < _LONGEST and _continues(found, stop):
            stop += 2
        if stop > start + 1:
            result.append(Phrase(start, stop, tuple(found[start:stop:2])))
    return result


def _continues(found: list[str], stop: int) -> bool:
    """Return True if a phrase that ends before piece `stop` continues with a space and a word."""
    if stop + 1 >= len(found) or found[stop] != " ":
        return False
    word = found[stop + 1].lower()
    if not word.isalpha() or word in FUNCTION_WORDS or word.endswith("ing") or (word.endswith("ed") and len(word) > 4):
        return False
    # "a dog chases the cat": an s before a determiner ends a verb more often than a noun
    is_verb = word.endswith("s") and "".join(found[stop + 2 : stop + 3]) == " " and _is_determiner(found, stop + 3)
    return not is_verb


def _is_determiner(found: list[str], place: int) -> bool:
    return place < len(found) and found[place].lower() in DETERMINERS


def swap_roles(sentence: str, chance: random.Random) -> str:
    """Swap two noun phrases: "A dog follows the man" becomes "The man follows a dog"."""
    found = pieces(sentence)
    nouns = phrases(found)
    if len(nouns) < 2:
        return sentence
    first, second = sorted(chance.sample(range(len(nouns)), 2))
    return _replaced(found, {nouns[first]: " ".join(nouns[second].words), nouns[second]: " ".join(nouns[first].words)})


def move_modifiers(sentence: str, chance: random.Random) -> str:
    """Swap the modifiers of two noun phrases: "A young man with a dog" becomes "A man with a young dog"."""
    found = pieces(sentence)
    nouns = phrases(found)
    pairs = [
        (one, other)
        for number, one in enumerate(nouns)
        for other in nouns[number + 1 :]
        if one.modifiers != other.modifiers
    ]
    if not pairs:
        return sentence
    one, other = chance.choice(pairs)
    return _replaced(found, {one: one.modified(other.modifiers), other: other.modified(one.modifiers)})


def make_passive(sentence: str, _: random.Random) -> str:
    """Turn a sentence into the passive voice: "A man is slicing an onion" becomes "An onion is being sliced by a
    man".
    """
    found = pieces(sentence)
    nouns = phrases(found)
    for agent, patient in itertools.pairwise(nouns):
        between = "".join(found[agent.stop : patient.start]).strip()
        if verb := _IS_DOING.match(between):
            auxiliary = _agreeing(verb[1].lower(), is_plural(patient.words[0].lower(), patient.words[-1].lower()))
            done = f"{auxiliary}{verb[2] or ''} being {participle(verb[3].lower())} by"
            return _replaced(
                [*found[: agent.stop], f" {done} ", *found[patient.start :]],
                {
                    agent: " ".join(patient.words),
                    _moved(patient, agent.stop + 1): " ".join(agent.words),
                },
            )
    return sentence


def _moved(phrase: Phrase, start: int) -> Phrase:
    return Phrase(start, start + phrase.stop - phrase.start, phrase.words)


def _agreeing(auxiliary: str, plural: bool) -> str:
    singular, many = ("was", "were") if auxiliary in {"was", "were"} else ("is", "are")
    return many if plural else singular


def deny_existence(sentence: str, _: random.Random) -> str:
    """Deny that anybody does it: "A man is singing" becomes "There is no man singing"."""
    found = pieces(sentence)
    nouns = phrases(found)
    if not nouns or nouns[0].start or len(found) < nouns[0].stop + 4 or found[nouns[0].stop] != " ":
        return sentence
    auxiliary, gap, verb = found[nouns[0].stop + 1 : nouns[0].stop + 4]
    if auxiliary not in {"is", "are", "was", "were"} or gap != " " or not verb.endswith("ing"):
        return sentence
    return f"There {auxiliary} no {' '.join(nouns[0].words[1:])} {''.join(found[nouns[0].stop + 3 :])}"


def change_number(sentence: str, chance: random.Random) -> str:
    """Replace a number by another, at least two: "Three dogs" becomes "Five dogs"."""
    found = pieces(sentence)
    places = [index for index, piece in enumerate(found) if piece.lower() in COUNTS or _is_count(piece)]
    if not places:
        return sentence
    index = chance.choice(places)
    if _is_count(found[index]):
        found[index] = str(chance.choice([n for n in range(2, 2 * int(found[index]) + 2) if str(n) != found[index]]))
    else:
        other = chance.choice([count for count in COUNTS if count != found[index].lower()])
        found[index] = _like(other, found[index])
    return "".join(found)


def _is_count(piece: str) -> bool:
    return piece.isascii() and piece.isdigit() and len(piece) <= 3 and int(piece) > 1


def change_kind(sentence: str, chance: random.Random) -> str:
    """Replace a noun by a more general one, or another of its kind: "A dog" becomes "An animal" or "A cat".

    Plurals too.
    """
    found = pieces(sentence)
    places = [index for index, piece in enumerate(found) if _singular(piece.lower()) in KIND_OF]
    if not places:
        return sentence
    index = chance.choice(places)
    word = _singular(found[index].lower())
    kind = KIND_OF[word]
    siblings = [other for other in KINDS[kind] if other != word]
    new = kind if chance.random() < 0.5 else chance.choice(siblings)
    if found[index].lower() != word:
        new = plural(new)
    if index > 1 and found[index - 1] == " " and found[index - 2].lower() in {"a", "an"}:
        found[index - 2] = _like(article(new), found[index - 2])
    found[index] = _like(new, found[index])
    return "".join(found)


def _singular(word: str) -> str:
    return word if word in KIND_OF else SINGULARS.get(word) or word.removesuffix("s")


def _like(word: str, model: str) -> str:
    """The word with a capital where `model` has one."""
    return word.capitalize() if model[:1].isupper() else word


def _replaced(found: list[str], texts: dict[Phrase, str]) -> str:
    """The pieces joined, other texts in place of some phrases; what is first has a capital if what was first had."""
    result = list(found)
    for phrase, text in texts.items():
        first = text[0]
        if phrase.start > 0:
            first = first.lower()
        elif found[0][:1].isupper():
            first = first.upper()
        result[phrase.start : phrase.stop] = [first + text[1:], *[""] * (phrase.stop - phrase.start - 1)]
    return "".join(result)


ALTERATIONS: tuple[Callable[[str, random.Random], str], ...] = (
    swap_roles,
    move_modifiers,
    make_passive,
    deny_existence,
    change_number,
    change_kind,
)
"""All of the above."""


def compose(sentence: str, chance: random.Random, *, copies: int) -> list[str]:
    """Return up to `copies` altered sentences, each made by another of ALTERATIONS."""
    tried = (alter(sentence, chance) for alter in chance.sample(ALTERATIONS, len(ALTERATIONS)))
    return [copy for copy in tried if copy != sentence][:copies]
