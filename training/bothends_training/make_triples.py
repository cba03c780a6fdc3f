"""Writes triples that differ in one word, out of a recipe's held-out sentences, for encoders to be chosen by:

    python -m bothends_training.make_triples training/recipes/english-search.toml training/dev/triples.tsv

`kind⇥sentence⇥same⇥other` a line: the same in other words by `rephrase`, and what says something else by `swaps`.
"""

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from . import recipe, scenes
from .compose import change_number, make_passive, pieces
from .corpus import place
from .errors import RecipeError
from .held_out import choose
from .names import NAME_KINDS
from .rephrase import asks, introduce, rephrase
from .swaps import change_figure, change_name, misspell, negate, oppose

COUNT = 240
"""Most triples of a kind."""
_LONGEST = 32
"""Words of the longest sentence."""
_LEFT_OUT = re.compile(
    r"[\[\]{}<>*_|#]|http|\bnot\b.*\bnot\b|Harry March|August Hall|Town Hall"
    r"|(?i:shit|fuck|\bsex|fart|damn|\bass\b|bitch|kill|porn)"
)
"""Marks of a format, coarse words, and names that aren't what they look like."""
_WEAK = frozenset((("with", "without"), ("right", "wrong"), ("bad", "good")))
_MOST_OF_A_PAIR = 14
"""Triples whose altered words are the same two, such as man and woman."""
Triple = tuple[str, str, str]
"""A sentence, the same, and what says something else."""


def another_number(sentence: str, chance: random.Random) -> str:
    """Another figure, or another number in words where there is none."""
    changed = change_figure(sentence, chance)
    return changed if changed != sentence else change_number(sentence, chance)


def exchange_names(sentence: str, _: random.Random) -> str:
    """The first two people's names in each other's place."""
    found = pieces(sentence)
    places = [number for number, piece in enumerate(found) if NAME_KINDS.get(piece) in {"man", "woman"}]
    if len(places) < 2 or found[places[0]] == found[places[1]]:
        return sentence
    one, other = places[:2]
    found[one], found[other] = found[other], found[one]
    return "".join(found)


OTHERS: dict[str, Callable[[str, random.Random], str]] = {
    "numbers": another_number,
    "entities": change_name,
    "negation": negate,
    "antonyms": oppose,
    "roles": exchange_names,
}
"""What makes a sentence say something else, by kind."""


def found_triples(kind: str, sentences: Sequence[str]) -> Iterator[Triple]:
    """Triples of one of OTHERS, of each sentence that allows it, in an order as good as drawn by chance."""
    for sentence in sorted(sentences, key=place):
        chance = random.Random(f"{kind} {sentence}")  # noqa: S311  choosing sentences needs no secrets
        other = OTHERS[kind](sentence, chance)
        if other.lower() == sentence.lower() or (kind == "negation" and asks(sentence)):
            continue
        same, changes = rephrase(sentence, chance)
        if kind == "roles" and not changes:
            same = make_passive(sentence, chance)
        if same in {sentence, other}:
            continue
        yield sentence, same if kind == "roles" else introduce(same, chance), other


def misspelt_triples(sentences: Sequence[str]) -> Iterator[Triple]:
    """A sentence, itself with one word misspelt, and what says something else by any of OTHERS but roles."""
    for sentence in sorted(sentences, key=lambda text: place("typo " + text)):
        chance = random.Random("typo " + sentence)  # noqa: S311
        spelt = misspell(sentence, chance)
        made = (OTHERS[kind](sentence, chance) for kind in ("antonyms", "entities", "numbers"))
        other = next((text for text in made if text.lower() != sentence.lower()), None)
        if other and spelt != sentence:
            yield sentence, spelt, other


def made_triples() -> Iterator[Triple]:
    """Scenes, the same in the passive or in the simple present, and with exchanged roles; endless."""
    number = 0
    while True:
        number += 1
        chance = random.Random(f"dev scene {number}")  # noqa: S311
        scene = scenes.any_scene(chance)
        patient = scene.patient
        if not patient or patient.word == scene.agent.word or scene.agent.kind != "person":
            continue
        if patient.kind in {"person", "animal"}:
            same = (scenes.passive if chance.random() < 0.5 else scenes.present)(scene, chance)
            texts = (scenes.plain(scene), same, scenes.reversed_roles(scene, chance))
            one, two, three = (f"{text[0].upper()}{text[1:]}." for text in texts)
            yield one, two, three


def choose_triples(candidates: Iterator[Triple], *, is_varied: bool) -> list[Triple]:
    """The first COUNT of them, no sentence twice; where `is_varied`, few that alter the same two words."""
    chosen: dict[str, Triple] = {}
    pairs: Counter[tuple[str, ...]] = Counter()
    for triple in candidates:
        altered = tuple(sorted(set(triple[0].lower().split()) ^ set(triple[2].lower().split())))
        if triple[0] in chosen or (is_varied and (pairs[altered] == _MOST_OF_A_PAIR or altered in _WEAK)):
            continue
        pairs[altered] += 1
        chosen[triple[0]] = triple
        if len(chosen) == COUNT:
            break
    return list(chosen.values())


def main(path: Path, out: Path) -> None:
    """Write the triples of the recipe's held-out sentences to `out`, COUNT a kind or as many as there are."""
    plan = recipe.read(path)
    if plan.held_out is None:
        raise RecipeError(f"{path} holds out no sentences")
    held_out = choose(plan.held_out, (path.resolve().parent / plan.corpus.path).resolve())
    sentences = [
        text
        for found in held_out.values()
        for text in found
        if 4 <= len(text.split()) <= _LONGEST and not _LEFT_OUT.search(text)
    ]
    kinds = {kind: choose_triples(found_triples(kind, sentences), is_varied=kind == "antonyms") for kind in OTHERS}
    kinds["roles"] += choose_triples(made_triples(), is_varied=False)[: COUNT - len(kinds["roles"])]
    kinds["typos"] = choose_triples(misspelt_triples(sentences), is_varied=False)
    lines = ["\t".join((kind, *triple)) + "\n" for kind, triples in kinds.items() for triple in triples]
    out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
