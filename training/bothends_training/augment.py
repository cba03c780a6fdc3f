"""Adds altered copies to sentences, which a bag of words could hardly tell from the originals.

Teachers embed a copy as a sentence of its own, and batches keep a group together, so that the student learns what one
more word, another word or another order changes. Which sentences are altered, and how, depends only on each sentence
and on the first ones of the corpus: a longer corpus gives a shorter one's sentences the same copies, whatever the
recipe's seed.
"""

import random
import re
from collections.abc import Iterator, Sequence

from .compose import compose
from .recipe import Corpus
from .scenes import family
from .swaps import introduce, misspell, swap

_END = re.compile(r"[\s.!?]*$")
_AUXILIARY = re.compile(
    r"\b(?:am|is|are|was|were|can|could|will|would|should|do|does|did|has|have|had|must|may|might)\b", re.IGNORECASE
)
_NOT = re.compile(r"\s+not\b|n['’]t\b", re.IGNORECASE)
_ARTICLE = re.compile(r"\b(?:a|an|some|the)\b", re.IGNORECASE)


def misspelt(sentence: str, plan: Corpus) -> str | None:
    """Return a misspelt copy, for about `plan.misspelt` of the sentences, if a word allows it; otherwise None."""
    chance = random.Random("misspelt " + sentence)  # noqa: S311
    if chance.random() >= plan.misspelt:
        return None
    copy = misspell(sentence, chance)
    return copy if copy != sentence else None


READ = 200_000
"""Number of first sentences whose words may replace another's."""


def augment(sentences: Sequence[str], plan: Corpus, *, read: int = READ) -> Iterator[list[str]]:
    """Yield each sentence in order, followed by its copies, all different.

    About `plan.scrambled` of the sentences get a copy in another order, about `plan.varied` two with other words, about
    `plan.composed` (if the sentence allows it) up to two with other roles, numbers or kinds of things, and about
    `plan.swapped` two with another figure, name or sense, and with these about `plan.introduced` one that says the same
    behind words that add nothing. About `plan.scenes` are followed by a separate group: a family of made-up sentences.

    Replacement words are taken from the first `read` sentences.
    """
    words = _between(sentences[:read]) if plan.varied else {}
    for sentence in sentences:
        group = [sentence]
        chance = random.Random(sentence)  # noqa: S311  a corpus needs no secrets
        if chance.random() < plan.scrambled:
            group.append(scramble(sentence, chance))
        chance = random.Random("varied " + sentence)  # noqa: S311
        if chance.random() < plan.varied:
            group.append(replace_word(sentence, words, chance))
            group.append(negate(sentence, chance) if chance.random() < 0.5 else delete_span(sentence, chance))
        chance = random.Random("composed " + sentence)  # noqa: S311
        if chance.random() < plan.composed:
            group += compose(sentence, chance, copies=2)
        chance = random.Random("swapped " + sentence)  # noqa: S311
        if chance.random() < plan.swapped:
            swapped = swap(sentence, chance, copies=2)
            group += swapped
            if swapped and chance.random() < plan.introduced:
                group.append(introduce(sentence, chance))
        yield list(dict.fromkeys(group))
        chance = random.Random("scene " + sentence)  # noqa: S311
        if chance.random() < plan.scenes:
            yield family(chance)


def scramble(sentence: str, chance: random.Random) -> str:
    """Return the sentence with two words, or two neighbouring chunks of words, swapped; its end mark stays in place.

    The result may equal the sentence, if that has one word or the swapped words are equal.
    """
    body = _END.sub("", sentence)
    words = body.split()
    if len(words) < 2:
        return sentence
    if chance.random() < 0.5:
        one, other = chance.sample(range(len(words)), 2)
        words[one], words[other] = words[other], words[one]
    else:
        start, middle, stop = sorted(chance.sample(range(len(words) + 1), 3))
        words[start:stop] = words[middle:stop] + words[start:middle]
    return " ".join(words) + sentence[len(body) :].rstrip()


def replace_word(sentence: str, between: dict[str, list[str]], chance: random.Random) -> str:
    """Return the sentence with one word replaced by another that was read between the same two words, if there is
    one: `between` has the words that were, by the pair of words around them.
    """
    words = sentence.split()
    contexts = list(_contexts(words))
    places = [index for index, context in enumerate(contexts) if context in between]
    if not places:
        return sentence
    index = chance.choice(places)
    others = [word for word in between[contexts[index]] if word != words[index].lower()]
    words[index] = chance.choice(others)
    return " ".join(words)


def negate(sentence: str, chance: random.Random) -> str:
    """Return the sentence without its "not"; or with one after an auxiliary verb; or with "no" for an article; if
    possible.
    """
    if _NOT.search(sentence):
        return _NOT.sub("", sentence, count=1)
    for pattern, text in ((_AUXILIARY, r"\g<0> not"), (_ARTICLE, "no")):
        if found := list(pattern.finditer(sentence)):
            index = chance.choice(found)
            return sentence[: index.start()] + index.expand(text) + sentence[index.end() :]
    return sentence


def delete_span(sentence: str, chance: random.Random) -> str:
    """Return the sentence without a run of up to a third of its words. One of fewer than three words stays whole."""
    words = sentence.split()
    if len(words) < 3:
        return sentence
    count = chance.randint(1, len(words) // 3)
    start = chance.randint(0, len(words) - count)
    return " ".join(words[:start] + words[start + count :])


def _between(sentences: Sequence[str]) -> dict[str, list[str]]:
    """Return the words, in lower case and in order of reading, between each two neighbours; at least two words."""
    found: dict[str, dict[str, None]] = {}
    for sentence in sentences:
        words = sentence.lower().split()
        for word, context in zip(words, _contexts(words), strict=True):
            found.setdefault(context, {})[word] = None
    return {context: list(words) for context, words in found.items() if len(words) > 1}


def _contexts(words: Sequence[str]) -> Iterator[str]:
    """The neighbours on both sides of each word, in lower case."""
    around = ["", *(word.lower() for word in words), ""]
    return (f"{before} {after}" for before, after in zip(around, around[2:], strict=False))
