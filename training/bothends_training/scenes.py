"""Makes up families of sentences: an everyday scene, and sentences that differ from it in one thing.

Captions say who does what to whom, where, how many they are and what they look like, more often than other texts in a
corpus. A family has a scene in plain words, the same scene in other words (passive, a relative clause, the simple
present, a more general noun), and similar scenes (other roles, another number, another verb, nobody at all). The
teachers say what each of them means.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from .lexicon import COUNTS, KIND_OF, article, participle, plural, words

PEOPLE = words("man woman boy girl child lady kid person player worker dancer singer student cyclist farmer chef")
ANIMALS = words("dog cat horse monkey puppy kitten rabbit goat sheep elephant lion bird cow bear")
LOOKS = {
    "person": words("young old tall little happy blond bald tired thin smiling"),
    "animal": words("black white brown small big spotted wet old young gray"),
    "thing": words("red blue green yellow small big old new broken large"),
}
THINGS = {
    "food": words("potato onion carrot tomato cucumber apple banana orange lemon cake sandwich pizza fish egg"),
    "instrument": words("guitar piano violin drum flute trumpet keyboard harp"),
    "garment": words("shirt hat jacket coat dress skirt helmet scarf"),
    "mount": words("horse bicycle motorcycle skateboard scooter wave camel elephant"),
    "vehicle": words("car truck bus boat tractor jeep van"),
    "ball": words("ball stick stone frisbee snowball rope"),
    "object": words("box bag bottle camera umbrella phone basket chair ladder book knife cup"),
    "text": words("book letter newspaper magazine poem map"),
    "front": words("door window gate fence wall table"),
}
VERBS = {
    "food": words(
        "slice:slicing cut:cutting peel:peeling chop:chopping cook:cooking fry:frying wash:washing eat:eating"
    ),
    "instrument": words("play:playing carry:carrying tune:tuning clean:cleaning"),
    "garment": words("wear:wearing wash:washing fold:folding buy:buying"),
    "mount": words("ride:riding paint:painting wash:washing photograph:photographing"),
    "vehicle": words("drive:driving repair:repairing wash:washing push:pushing park:parking"),
    "ball": words("throw:throwing catch:catching kick:kicking hit:hitting drop:dropping hold:holding"),
    "object": words(
        "hold:holding carry:carrying lift:lifting drop:dropping open:opening break:breaking clean:cleaning"
    ),
    "text": words("read:reading write:writing tear:tearing hold:holding fold:folding"),
    "front": words("open:opening close:closing paint:painting clean:cleaning touch:touching"),
    "person": words(
        "follow:following watch:watching push:pushing hug:hugging kiss:kissing teach:teaching help:helping"
    ),
    "animal": words("chase:chasing follow:following watch:watching feed:feeding pet:petting wash:washing lead:leading"),
}
DOINGS = words(
    "run:running dance:dancing sing:singing sleep:sleeping jump:jumping swim:swimming walk:walking stand:standing "
    "sit:sitting talk:talking laugh:laughing cry:crying climb:climbing play:playing fall:falling wait:waiting "
    "rest:resting"
)
PLACES = words(
    "in-the-park on-the-beach in-the-kitchen in-a-field on-the-street in-the-snow near-a-lake in-the-water "
    "on-the-grass "
    "in-front-of-a-house on-a-stage in-a-garden under-a-tree on-a-bench across-the-road at-night in-the-rain outdoors"
)
"""Places of a scene, hyphens for spaces."""


@dataclass(frozen=True, slots=True)
class Noun:
    """Noun that acts or is acted on: a word, its kind in LOOKS, an adjective or none, and how many ("" for one)."""

    word: str
    kind: str
    look: str = ""
    count: str = ""

    def text(self, *, definite: bool = False) -> str:
        """The noun phrase: "a young man", "three dogs"."""
        rest = f"{self.look} {self.head}".strip()
        return f"{'the' if definite else self.count or article(rest)} {rest}"

    @property
    def head(self) -> str:
        """The noun itself, in the plural if there are several."""
        return plural(self.word) if self.count else self.word

    @property
    def auxiliary(self) -> str:
        """Form of "be" that agrees with the noun."""
        return "are" if self.count else "is"


@dataclass(frozen=True, slots=True)
class Scene:
    """Scene in which someone does something, perhaps to something, perhaps somewhere."""

    agent: Noun
    verb: str
    """Base and -ing form: "ride:riding"."""
    patient: Noun | None
    place: str

    @property
    def ing(self) -> str:
        """The verb's -ing form."""
        return self.verb.partition(":")[2]

    def rest(self) -> str:
        """Words after the verb, with a space before each part."""
        return (f" {self.patient.text()}" if self.patient else "") + (f" {self.place}" if self.place else "")


def family(chance: random.Random, *, size: int = 5) -> list[str]:
    """Return a scene's sentence and up to `size` - 1 others, all different: some say the same, some something else.
    `chance` draws the scene and the changes.
    """
    scene = any_scene(chance)
    made = [plain(scene), *(render(scene, chance) for render in chance.sample(SAME, 2))]
    made += [change(scene, chance) for change in chance.sample(OTHER, len(OTHER))]
    return list(dict.fromkeys(sentence[0].upper() + sentence[1:] for sentence in made))[:size]


def any_scene(chance: random.Random) -> Scene:
    """Return a random scene: most have a patient, half a place, a third an adjective or more than one agent."""
    agent = any_noun(chance, chance.choice(["person", "person", "person", "animal"]))
    index = chance.choice(PLACES).replace("-", " ") if chance.random() < 0.5 else ""
    if chance.random() < 0.25:
        return Scene(agent, chance.choice(DOINGS), None, index)
    kinds = [*VERBS, "person", "animal"] if agent.kind == "person" else ["person", "animal", "ball"]
    kind = chance.choice(kinds)
    verbs = VERBS[kind]
    if agent.kind == "animal":
        verbs = tuple(verb for verb in verbs if verb.partition(":")[0] in _BY_ANIMALS) or ("watch:watching",)
    return Scene(agent, chance.choice(verbs), any_noun(chance, kind), index)


_BY_ANIMALS = {"follow", "watch", "push", "kiss", "chase", "lead", "catch", "drop", "hold", "kick"}


def any_noun(chance: random.Random, kind: str) -> Noun:
    """Return a random noun of a kind in VERBS, sometimes with an adjective and a number."""
    nouns = {"person": PEOPLE, "animal": ANIMALS}.get(kind) or THINGS[kind]
    looks = kind if kind in LOOKS else "thing"
    look = chance.choice(LOOKS[looks]) if chance.random() < 0.4 else ""
    count = chance.choice([*COUNTS[:3], "some", "several"]) if chance.random() < 0.2 else ""
    return Noun(chance.choice(nouns), kind, look, count)


def plain(scene: Scene) -> str:
    """Return the scene in the progressive: "a man is riding a horse in a field"."""
    return f"{scene.agent.text()} {scene.agent.auxiliary} {scene.ing}{scene.rest()}"


def passive(scene: Scene, _: random.Random) -> str:
    """Return the scene in the passive, if it has a patient: "a horse is being ridden by a man"."""
    if scene.patient is None:
        return plain(scene)
    done = f"{scene.patient.text()} {scene.patient.auxiliary} being {participle(scene.ing)} by {scene.agent.text()}"
    return f"{done} {scene.place}".strip()


def present(scene: Scene, _: random.Random) -> str:
    """Return the scene in the simple present: "a man rides a horse"."""
    base = scene.verb.partition(":")[0]
    if not scene.agent.count:
        ending = "es" if base.endswith(("s", "x", "ch", "sh")) else "s"
        base = base[:-1] + "ies" if base.endswith("y") and base[-2] not in "aeou" else base + ending
    return f"{scene.agent.text()} {base}{scene.rest()}"


def related(scene: Scene, _: random.Random) -> str:
    """Return the scene with the adjective in a relative clause: "a man who is young is riding a horse"."""
    agent = replace(scene.agent, look="")
    if not scene.agent.look:
        return plain(replace(scene, agent=replace(agent, look="")))
    pronoun = "who" if agent.kind == "person" else "which"
    return f"{agent.text()} {pronoun} {agent.auxiliary} {scene.agent.look} {agent.auxiliary} {scene.ing}{scene.rest()}"


def definite(scene: Scene, _: random.Random) -> str:
    """Return the scene with a definite agent: "the man is riding a horse"."""
    return f"{scene.agent.text(definite=True)} {scene.agent.auxiliary} {scene.ing}{scene.rest()}"


def general(scene: Scene, _: random.Random) -> str:
    """Return the scene with more general nouns: "a person is riding an animal"."""
    patient = scene.patient and replace(scene.patient, word=KIND_OF.get(scene.patient.word, scene.patient.word))
    agent = replace(scene.agent, word=KIND_OF.get(scene.agent.word, scene.agent.word))
    return plain(replace(scene, agent=agent, patient=patient))


def denied(scene: Scene, chance: random.Random) -> str:
    """Return a denial of the act or of the agent: "there is no man riding a horse"."""
    if chance.random() < 0.5:
        return f"{scene.agent.text()} {scene.agent.auxiliary} not {scene.ing}{scene.rest()}"
    nobody = replace(scene.agent, count="")
    return f"there is no {nobody.text(definite=True).removeprefix('the ')} {scene.ing}{scene.rest()}"


def reversed_roles(scene: Scene, _: random.Random) -> str:
    """Return the scene with agent and patient swapped: "a horse is riding a man"."""
    return plain(replace(scene, agent=scene.patient, patient=scene.agent) if scene.patient else scene)


def other_looks(scene: Scene, chance: random.Random) -> str:
    """Return the scene with adjectives swapped or replaced: "a man is riding a young horse"."""
    if scene.patient and scene.agent.look != scene.patient.look:
        agent, patient = replace(scene.agent, look=scene.patient.look), replace(scene.patient, look=scene.agent.look)
        return plain(replace(scene, agent=agent, patient=patient))
    look = chance.choice(LOOKS.get(scene.agent.kind, LOOKS["thing"]))
    return plain(replace(scene, agent=replace(scene.agent, look=look)))


def other_number(scene: Scene, chance: random.Random) -> str:
    """Return the scene with another number of agents: "four men are riding a horse"."""
    count = chance.choice([count for count in ("", *COUNTS[:4]) if count != scene.agent.count])
    return plain(replace(scene, agent=replace(scene.agent, count=count)))


def other_agent(scene: Scene, chance: random.Random) -> str:
    """Return the scene with another agent: "a girl is riding a horse"."""
    return plain(replace(scene, agent=replace(any_noun(chance, scene.agent.kind), look=scene.agent.look)))


def other_verb(scene: Scene, chance: random.Random) -> str:
    """Return a sentence that describes the scene with a different verb, drawn by `chance`: "a man is washing a
    horse".
    """
    verbs = VERBS[scene.patient.kind] if scene.patient else DOINGS
    return plain(replace(scene, verb=chance.choice([verb for verb in verbs if verb != scene.verb])))


def other_patient(scene: Scene, chance: random.Random) -> str:
    """Return a sentence that describes the scene with another patient of the same kind, drawn by `chance`: "a man is
    riding a bicycle".
    """
    return plain(replace(scene, patient=scene.patient and any_noun(chance, scene.patient.kind)))


def other_place(scene: Scene, chance: random.Random) -> str:
    """Return a sentence that describes the scene at a place drawn by `chance`, or at none."""
    return plain(replace(scene, place=chance.choice(["", *PLACES]).replace("-", " ")))


Render = Callable[[Scene, random.Random], str]
"""A scene to a sentence of it, or of another one like it."""
SAME: tuple[Render, ...] = (passive, present, related, definite, general)
OTHER: tuple[Render, ...] = (
    denied, reversed_roles, other_looks, other_number, other_agent, other_verb, other_patient, other_place,
)  # fmt: skip
