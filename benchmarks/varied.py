"""Any number of distinct sentences, for runs longer than the real ones last: real ones, cut and joined by chance.

Lengths stay spread as real ones are; `python benchmarks/varied.py 1000000 > sentences.txt` writes a million.
"""

import random
import sys
from collections.abc import Iterator
from itertools import islice

import sentences

_WHOLE = 0.6
"""Share of sentences that are a real one with a number that makes it another one."""


def varied(seed: int = 0) -> Iterator[str]:
    """Yield sentences without end, always the same ones."""
    texts = sentences.load(None).texts
    chance = random.Random(seed)  # noqa: S311  sentences to be had again, no secret
    while True:
        words = chance.choice(texts).split()
        if chance.random() < _WHOLE:
            words.insert(chance.randrange(len(words) + 1), str(chance.randrange(1_000_000)))
        else:
            other = chance.choice(texts).split()
            words = words[: chance.randint(1, len(words))] + other[chance.randrange(len(other)) :]
        yield " ".join(words)


if __name__ == "__main__":
    for text in islice(varied(), int(sys.argv[1])):
        print(text)
