"""Sentences of every length, requests made of them, and the very bytes that a server must answer.

The reference is computed in this process, one sentence at a time, before anything is attacked.
"""

import random
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bothends.core.embedder import Embedder
from bothends.embeddings import Embeddings
from bothends.model.bundle import Bundle, default_path
from bothends.settings import Settings
from bothends.v1.embedding_pb2 import EmbedRequest
from bothends.wire.messages import encode

WORDS = ("a", "the", "old", "sea", "dragons", "river", "stone", "sings", "quiet", "woman", "plays", "guitar")
LONGEST = 400
"""Words of a sentence: more than the model reads, so that some are cut."""


@dataclass(frozen=True)
class Reference:
    """Sentences and what is right for each of them. It can be sent to another process."""

    sentences: list[str]
    rows: NDArray[np.float32]
    token_counts: list[int]
    truncated: list[bool]
    model_version: str

    @classmethod
    def compute(cls, *, count: int = 300, longest: int = LONGEST, seed: int = 0) -> Self:
        """Sentences of 1 to `longest` words, short ones more often than long ones; each alone through the engine."""
        chance = random.Random(seed)
        sentences = [" ".join(chance.choices(WORDS, k=skewed(chance, longest))) for _ in range(count)]
        with Embedder.load(Bundle.open(default_path()), settings=Settings(device="cpu", selftest_s=0)) as embedder:
            found = [embedder.embed([sentence]) for sentence in sentences]
        return cls(
            sentences,
            np.concatenate([one.rows for one in found]),
            [one.token_counts[0] for one in found],
            [one.truncated[0] for one in found],
            found[0].model_version,
        )

    def only(self, token_counts: range) -> Self:
        """The part of it whose sentences have so many tokens."""
        places = [index for index, count in enumerate(self.token_counts) if count in token_counts]
        return replace(
            self,
            sentences=[self.sentences[index] for index in places],
            rows=self.rows[places],
            token_counts=[self.token_counts[index] for index in places],
            truncated=[self.truncated[index] for index in places],
        )

    def pick(self, chance: random.Random, *, most: int) -> tuple[list[str], NDArray[np.float32]]:
        """Draw 1 to `most` sentences, and the rows that are right for them."""
        picked = self._places(chance, most)
        return [self.sentences[index] for index in picked], self.rows[picked]

    def request(self, chance: random.Random, *, most: int) -> tuple[bytes, bytes]:
        """Make a request of 1 to `most` sentences, and the response that is right for it; both serialised."""
        picked = self._places(chance, most)
        right = Embeddings(
            self.rows[picked],
            [self.token_counts[index] for index in picked],
            [self.truncated[index] for index in picked],
            self.model_version,
        )
        request = EmbedRequest(sentences=[self.sentences[index] for index in picked])
        return request.SerializeToString(), encode(right)

    def _places(self, chance: random.Random, most: int) -> list[int]:
        return [chance.randrange(len(self.sentences)) for _ in range(skewed(chance, most))]


def skewed(chance: random.Random, most: int) -> int:
    """Draw a number from 1 to `most`, every order of magnitude as often as any other."""
    return min(most, int((most + 1) ** chance.random()))
