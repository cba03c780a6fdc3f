"""Exchanges who does something and who it is done to: "The dog bites the man" becomes "The man bites the dog".

Hardly a teacher hears the difference, so that the recipe may say by rule how unlike the two are. The rule is narrow
therefore: a sentence begins with who acts, a verb follows, and behind it stands whom it is done to. Where it doesn't
find that, a sentence is given back as it was.
"""

import itertools
import random
import re

from . import scenes
from .compose import Phrase, phrases, pieces
from .lexicon import FUNCTION_WORDS, is_plural, words
from .names import NAME_KINDS

_DOING = re.compile(
    r" (?:(?P<be>is|are|was|were) (?:not )?\w+ing|(?P<verb>\w+(?:s|ed)))(?: (?:at|after|behind|for|past))? "
)
_MUTUAL = frozenset(words("meets marries married marrying resembles resembled resembling equals joins joined joining"))
"""Verbs that say the same when roles are exchanged."""

_POSSESSIVE = frozenset(words("his her their my your our its"))
"""Words that say whose something is: often the other one's."""


def exchange(sentence: str) -> str:
    """The sentence with its first two noun phrases or names in each other's place, if one acts on the other."""
    found = pieces(sentence)
    nouns = sorted([*phrases(found), *_people(found)], key=lambda phrase: phrase.start)
    if len(nouns) < 2 or nouns[0].start:
        return sentence
    agent, patient = nouns[:2]
    between = "".join(found[agent.stop : patient.start])
    is_part = "".join(found[patient.stop : patient.stop + 2]) == " of"
    if is_part or agent.words == patient.words or {agent.words[0].lower(), patient.words[0].lower()} & _POSSESSIVE:
        return sentence
    if not _acts(between, _is_plural(agent), _is_plural(patient)):
        return sentence
    first = " ".join(patient.words)
    first = first[0].upper() + first[1:] if sentence[0].isupper() else first
    rest = "".join(found[patient.stop :])
    return f"{first}{between}{_inside(agent)}{rest}"


def family(chance: random.Random) -> list[str]:
    """A made scene in which one acts on another, the same in other words, and the scene with exchanged roles."""
    for _ in itertools.count():
        scene = scenes.any_scene(chance)
        if scene.patient is None or scene.patient.kind not in {"person", "animal"}:
            continue
        same = (scenes.passive if chance.random() < 0.5 else scenes.present)(scene, chance)
        plain, same, other = (
            text[0].upper() + text[1:] for text in (scenes.plain(scene), same, scenes.reversed_roles(scene, chance))
        )
        if other not in {plain, same} and other == exchange(plain):
            break
    return [plain, same, other]


def _people(found: list[str]) -> list[Phrase]:
    """People's names among the pieces of a sentence, each as a phrase of one word."""
    return [
        Phrase(place, place + 1, (piece,))
        for place, piece in enumerate(found)
        if NAME_KINDS.get(piece) in {"man", "woman"}
    ]


def _acts(between: str, agents: bool, patients: bool) -> bool:
    """Return whether these words say that one acts on the other, and agree with either in either's place."""
    doing = _DOING.fullmatch(between)
    if doing is None or _MUTUAL & set(between.split()):
        return False
    verb = doing["verb"]
    if verb is not None and verb in FUNCTION_WORDS | {"his", "as", "us", "plus", "versus", "need"}:
        return False
    return agents == patients or (verb is not None and verb.endswith("ed"))


def _is_plural(phrase: Phrase) -> bool:
    """Return whether a phrase is of several; a name isn't."""
    return len(phrase.words) > 1 and is_plural(phrase.words[0].lower(), phrase.words[-1].lower())


def _inside(phrase: Phrase) -> str:
    """A phrase as it stands inside a sentence: a name keeps its capital."""
    text = " ".join(phrase.words)
    return text if len(phrase.words) == 1 else text[0].lower() + text[1:]
