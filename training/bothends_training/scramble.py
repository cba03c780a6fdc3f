"""Sentences to the same with scrambled copies among them: a bag of words can't tell the two apart, a teacher can.

Which sentences are copied, and how, follows from each sentence alone: a longer corpus repeats a shorter one's copies,
whatever the recipe's seed. Knows nothing of teachers: they label a copy as a sentence of its own.
"""

import random
import re
from collections.abc import Iterable, Iterator

_END = re.compile(r"[\s.!?]*$")


def with_scrambled(sentences: Iterable[str], share: float) -> Iterator[str]:
    """The sentences in their order, about `share` of them followed by a copy with its words in another order."""
    for sentence in sentences:
        yield sentence
        chance = random.Random(sentence)  # noqa: S311  a corpus needs no secrets
        if chance.random() < share and (copy := scrambled(sentence, chance)) != sentence:
            yield copy


def scrambled(sentence: str, chance: random.Random) -> str:
    """The sentence with two words, or two neighbouring chunks of words, in each other's place; its end mark stays.

    It may come back as it was: of one word, or with a word swapped for its like.
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
