"""The findings of a run, as plain data that goes to JSON and comes back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from results import Saved

TOKENS = (15, 60)
"""Lengths of the sentences that are measured, in tokens."""
PYTORCH = "PyTorch"


@dataclass(frozen=True, slots=True)
class Measured:
    """One engine's figures for one encoder and length, each its best turn."""

    sentences_per_s: float
    """Sentences in a second of one core, in batches."""
    one_ms: float
    """Milliseconds of a core that one sentence takes."""
    one_on_two_ms: float | None = None
    """Milliseconds by the clock that it takes on two cores; None where the engine isn't asked."""
    share_of_peak: float | None = None
    """Share of what registers alone allow; None of others' engines."""


@dataclass(frozen=True, slots=True)
class EncoderRow:
    """One encoder's figures, by engine and then by length in tokens; an engine that can't compute it is left out."""

    name: str
    hidden_size: int
    layers: int
    engines: dict[str, dict[int, Measured]]

    def rate(self, engine: str, tokens: int) -> float | None:
        """Return sentences a second of a core; None where the engine can't compute this encoder."""
        found = self.engines.get(engine)
        return found[tokens].sentences_per_s if found else None

    def times(self, engine: str, other: str, tokens: int = TOKENS[0]) -> float | None:
        """Return how many times as many sentences as `other` an engine computes; None where one of them can't."""
        mine, theirs = self.rate(engine, tokens), self.rate(other, tokens)
        return mine / theirs if mine and theirs else None


@dataclass(frozen=True, slots=True)
class EncoderResults(Saved):
    """One run."""

    machine: dict[str, str]
    turns: int
    rows: list[EncoderRow]

    @classmethod
    def open(cls, file: Path) -> Self:
        """Read what `save` wrote."""
        read = json.loads(file.read_bytes())
        rows = [
            EncoderRow(
                **row
                | {
                    "engines": {
                        engine: {int(tokens): Measured(**figures) for tokens, figures in found.items()}
                        for engine, found in row["engines"].items()
                    }
                }
            )
            for row in read["rows"]
        ]
        return cls(read["machine"], read["turns"], rows)
