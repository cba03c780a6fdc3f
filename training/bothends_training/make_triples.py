"""Writes triples that differ in one word, out of a recipe's held-out sentences, for encoders to be chosen by:

    python -m bothends_training.make_triples training/recipes/english.toml training/dev/triples.tsv

`kind⇥sentence⇥same⇥other` a line: the same in other words by `rephrase`, and what says something else by `swaps`, as
far as `fairness` lets it. What a reader found wrong all the same stands in left-out.tsv beside the file, a line of
`kind⇥sentence` each, and is passed by.
"""

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path

from bothends.model.bundle import default_path

from . import recipe, scenes
from .compose import change_number, make_passive, pieces
from .corpus import place
from .errors import RecipeError
from .fairness import FAIR, change
from .held_out import choose
from .names import NAME_KINDS
from .rephrase import asks, introduce, rephrase
from .swaps import change_figure, change_name, misspell, negate, oppose

COUNT = 240
"""Most triples of a kind."""
_LONGEST = 32
"""Words of the longest sentence."""
COARSE = r"(?i:shit|fuck|\bsex|fart|damn|\bass\b|bitch|kill|porn|\bgay\b|breasts|hand job|fleshlight|cocaine|libido)"
"""Words for which a sentence is passed by."""
_LEFT_OUT = re.compile(
    r"[\[\]{}<>*_|#]|http|\bnot\b.*\bnot\b|Harry March|August Hall|Town Hall|" + COARSE,
)
"""Marks of a format, coarse words, and names that aren't what they look like."""
_TRIES = 6
"""Times that a sentence is altered, until it is fair."""
_MUTUAL = frozenset(("hugging", "kissing"))
"""Doings that both do, whoever begins."""
_VARIED = frozenset(("entities", "antonyms"))
"""Kinds of which few triples alter the same two words."""
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


def fair_other(kind: str, sentence: str, chance: random.Random) -> str | None:
    """The sentence altered by one of OTHERS so that it fairly says something else; None where that isn't had."""
    for _ in range(_TRIES):
        other = OTHERS[kind](sentence, chance)
        if other.lower() != sentence.lower() and (kind not in FAIR or FAIR[kind](change(sentence, other))):
            return other
    return None


def found_triples(kind: str, sentences: Sequence[str]) -> Iterator[Triple]:
    """Triples of one of OTHERS, of each sentence that allows it, in an order as good as drawn by chance."""
    for sentence in sorted(sentences, key=place):
        chance = random.Random(f"{kind} {sentence}")  # noqa: S311  choosing sentences needs no secrets
        other = fair_other(kind, sentence, chance)
        if other is None or (kind == "negation" and asks(sentence)):
            continue
        same, changes = rephrase(sentence, chance)
        if kind == "roles" and not changes:
            same = make_passive(sentence, chance)
        if same in {sentence, other}:
            continue
        yield sentence, same if kind == "roles" else introduce(same, chance), other


def misspelt_triples(sentences: Sequence[str], known: Container[str]) -> Iterator[Triple]:
    """A sentence, itself with one word misspelt so that no `known` word comes of it, and what says something else by
    any of OTHERS but roles.
    """
    for sentence in sorted(sentences, key=lambda text: place("typo " + text)):
        chance = random.Random("typo " + sentence)  # noqa: S311
        spelt = misspell(sentence, chance)
        found = (fair_other(kind, sentence, chance) for kind in ("antonyms", "entities", "numbers"))
        other = next((text for text in found if text is not None), None)
        if other and spelt != sentence and not any(word in known for word in _words(spelt) - _words(sentence)):
            yield sentence, spelt, other


def _words(sentence: str) -> set[str]:
    return set(re.findall(r"[a-z]+", sentence.lower()))


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
        if patient.kind in {"person", "animal"} and scene.ing not in _MUTUAL:
            same = (scenes.passive if chance.random() < 0.5 else scenes.present)(scene, chance)
            texts = (scenes.plain(scene), same, scenes.reversed_roles(scene, chance))
            one, two, three = (f"{text[0].upper()}{text[1:]}." for text in texts)
            yield one, two, three


def choose_triples(candidates: Iterator[Triple], left_out: Container[str] = (), *, is_varied: bool) -> list[Triple]:
    """The first COUNT of them, no sentence twice and none that is left out; where `is_varied`, few that alter the same
    two words.
    """
    chosen: dict[str, Triple] = {}
    pairs: Counter[tuple[str, ...]] = Counter()
    for triple in candidates:
        altered = tuple(sorted(set(triple[0].lower().split()) ^ set(triple[2].lower().split())))
        if triple[0] in chosen or triple[0] in left_out or (is_varied and pairs[altered] == _MOST_OF_A_PAIR):
            continue
        pairs[altered] += 1
        chosen[triple[0]] = triple
        if len(chosen) == COUNT:
            break
    return list(chosen.values())


def read_left_out(file: Path) -> dict[str, set[str]]:
    """The sentences of each kind that a reader dropped, none where there is no such file."""
    found: dict[str, set[str]] = {kind: set() for kind in (*OTHERS, "typos")}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        kind, _, sentence = line.partition("\t")
        found[kind].add(sentence)
    return found


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
    left_out = read_left_out(out.with_name("left-out.tsv"))
    kinds = {
        kind: choose_triples(found_triples(kind, sentences), left_out[kind], is_varied=kind in _VARIED)
        for kind in OTHERS
    }
    kinds["roles"] += choose_triples(made_triples(), left_out["roles"], is_varied=False)[: COUNT - len(kinds["roles"])]
    known = json.loads((default_path() / "tokenizer.json").read_bytes())["model"]["vocab"]
    kinds["typos"] = choose_triples(misspelt_triples(sentences, known), left_out["typos"], is_varied=True)
    lines = ["\t".join((kind, *triple)) + "\n" for kind, triples in kinds.items() for triple in triples]
    out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
