"""Sentences that must not be learned from, to a test of whether a sentence nearly matches one of them.

Two sentences match as far as their words do: the Jaccard index of their sets of words, in whatever order and case and
with whatever marks between them. Knows nothing of files or tokenizers.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable

_WORD = re.compile(r"\w+")


def words(sentence: str) -> frozenset[str]:
    """Its words, lower case, each once."""
    return frozenset(_WORD.findall(sentence.lower()))


class NearMatches:
    """Knows whether a sentence shares at least `threshold`, in (0, 1], of the words that it and a guarded one hold.

    Whoever does shares at least ceil(threshold · n) of a guarded sentence's n words, so it can't lack all of any
    n − ceil(threshold · n) + 1 of them: only that many, the rarest, are looked up (prefix filtering: Chaudhuri, Ganti
    and Kaushik, "A Primitive Operator for Similarity Joins in Data Cleaning", ICDE 2006).
    """

    def __init__(self, guarded: Iterable[str], threshold: float) -> None:
        self._threshold = threshold
        sets = {found for sentence in guarded if (found := words(sentence))}
        frequency = Counter(word for found in sets for word in found)
        self._by_word: dict[str, list[frozenset[str]]] = {}
        for found in sets:
            rarest_first = sorted(found, key=lambda word: (frequency[word], word))
            for word in rarest_first[: len(found) - math.ceil(threshold * len(found)) + 1]:
                self._by_word.setdefault(word, []).append(found)

    def match(self, sentence: str) -> bool:
        """Whether it nearly matches any."""
        held = words(sentence)
        return any(
            len(held & guarded) >= self._threshold * len(held | guarded)
            for word in held
            for guarded in self._by_word.get(word, ())
        )
