"""Finds sentences that nearly match others that must not be learned from.

How far two sentences match is the Jaccard index of their sets of words, regardless of order, case and punctuation.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable

_WORD = re.compile(r"\w+")


def words(sentence: str) -> frozenset[str]:
    """Return the set of the sentence's words, in lower case."""
    return frozenset(_WORD.findall(sentence.lower()))


class NearDuplicates:
    """Index of held-out sentences that finds near duplicates: the Jaccard index of the words is at least `threshold`,
    in (0, 1].

    A near duplicate shares at least ceil(threshold · n) of a held-out sentence's n words, so it can't lack all of any n
    − ceil(threshold · n) + 1 of them. Only that many, the rarest, are looked up (prefix filtering: Chaudhuri, Ganti and
    Kaushik, "A Primitive Operator for Similarity Joins in Data Cleaning", ICDE 2006).
    """

    def __init__(self, held_out: Iterable[str], threshold: float) -> None:
        self._threshold = threshold
        sets = {found for sentence in held_out if (found := words(sentence))}
        frequency = Counter(word for found in sets for word in found)
        self._by_word: dict[str, list[frozenset[str]]] = {}
        for found in sets:
            rarest_first = sorted(found, key=lambda word: (frequency[word], word))
            for word in rarest_first[: len(found) - math.ceil(threshold * len(found)) + 1]:
                self._by_word.setdefault(word, []).append(found)

    def match(self, sentence: str) -> bool:
        """Return True if the sentence is a near duplicate of any held-out one."""
        own = words(sentence)
        least = self._threshold * len(own)
        return any(  # a set of so few or so many words can't share enough, and is passed by without a look at them
            least <= len(other)
            and self._threshold * len(other) <= len(own)
            and len(own & other) >= self._threshold * len(own | other)
            for word in own
            for other in self._by_word.get(word, ())
        )
