"""A teacher made of arithmetic, and sentences for it. Quick to import, for processes that are killed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SENTENCES = [f"{number} birds sing" for number in range(230)]
CHUNK = 50
"""Sentences of a chunk: SENTENCES are four whole chunks and a rest."""
DIMENSION = 5


class Parrot:
    """A teacher whose vector of a sentence follows from its letters; it remembers what it was asked."""

    def __init__(self, identity: str = "parrot") -> None:
        self.name, self.identity, self.dimension = "parrot", identity, DIMENSION
        self.asked: list[str] = []

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of the sentences, float32 [sentences, DIMENSION]."""
        self.asked += sentences
        return np.array([self.of(sentence) for sentence in sentences], dtype=np.float32)

    def of(self, sentence: str) -> list[float]:
        """The sentence's vector, in numbers that float16 holds whole."""
        return [float(sum(map(ord, sentence[index::DIMENSION])) % 2048) for index in range(DIMENSION)]
