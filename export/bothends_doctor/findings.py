"""Findings of an examination as plain data, for a table, for JSON and for an exit code."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from .models.model import ModelInfo

Verdict = Literal["right", "wrong", "unknown", "fact"]


@dataclass(frozen=True, slots=True)
class Fact:
    """Row of the table."""

    about: str
    verdict: Verdict
    says: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Known mistake that the file makes."""

    key: str
    name: str
    do: str
    """One sentence: what to change."""


@dataclass(frozen=True, slots=True)
class Cosine:
    """Cosines of the file's rows with the correct ones: means over the sentences of a batch of different lengths."""

    whole: float
    forward: float | None
    """Cosine of the first half by itself; None if the vectors have no two halves. `backward` is that of the second
    half."""
    backward: float | None
    smallest: float
    """Smallest cosine of a whole embedding, over the sentences."""
    to: str
    """Reading that is taken for right."""
    difference: float
    """Largest absolute difference."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Largest absolute changes of a sentence's row when something around it is changed."""

    padding: float
    forward: float | None
    """Difference of the first half by itself, if there are two. `backward` is that of the second half."""
    backward: float | None
    alone: float | None
    """Difference from the sentence alone, without padding; None if the model can't run it alone."""
    scale: float
    """The largest absolute number in a row."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Kind and sizes of the encoder in the file."""

    cell: str
    layers: int
    directions: int
    input_size: int
    hidden_size: int
    vocabulary_size: int | None
    tokens: Literal["ids", "vectors"]
    batch_axis: int
    reads: str | None
    head: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings of one examination."""

    about: ModelInfo
    encoder: Encoder
    facts: tuple[Fact, ...]
    diagnoses: tuple[Diagnosis, ...]
    cosine: Cosine | None
    leak: Leak
    pooling_is_known: bool
    truth: str | None
    """The state dict that it was compared with."""

    @property
    def exit_code(self) -> int:
        """Exit code: 0 if healthy, 1 if something is wrong, 2 if nothing is wrong but the pooling couldn't be
        determined.
        """
        if self.diagnoses:
            return 1
        return 0 if self.pooling_is_known else 2

    @property
    def verdict(self) -> str:
        """Verdict in a word or two."""
        return {0: "healthy", 1: "wrong", 2: "not known"}[self.exit_code]

    def as_json(self) -> dict[str, Any]:
        """Return the findings as JSON values."""
        return {"verdict": self.verdict, "exit_code": self.exit_code, **asdict(self)}
