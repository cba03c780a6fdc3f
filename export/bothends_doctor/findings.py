"""What an examination found, as plain facts: for a table, for JSON, for an exit code."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from .models.model import ModelInfo

Verdict = Literal["right", "wrong", "unknown", "fact"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of the table."""

    about: str
    verdict: Verdict
    says: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One known mistake that the file makes."""

    key: str
    name: str
    do: str
    """One sentence: what to change."""


@dataclass(frozen=True, slots=True)
class Cosine:
    """Mean over the sentences of a ragged batch, of what the file computed to what is right."""

    whole: float
    forward: float | None
    """Of the first half by itself; None where the embedding has no two halves, as backward."""
    backward: float | None
    smallest: float
    """Of the whole, over sentences."""
    to: str
    """Which reading is taken for right."""
    difference: float
    """Largest absolute one."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Largest absolute differences of a sentence's row, by what was changed around it."""

    padding: float
    forward: float | None
    """Of the first half by itself, where it has two, as backward."""
    backward: float | None
    alone: float | None
    """Against the sentence alone, without padding; None where it can't be run so."""
    scale: float
    """The largest absolute number in a row."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """What the file is."""

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
    """All of it."""

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
        """0 healthy, 1 something is wrong, 2 nothing that doctor can judge is, but it can't judge the pooling."""
        if self.diagnoses:
            return 1
        return 0 if self.pooling_is_known else 2

    @property
    def verdict(self) -> str:
        """In a word or some."""
        return {0: "healthy", 1: "wrong", 2: "not known"}[self.exit_code]

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {"verdict": self.verdict, "exit_code": self.exit_code, **asdict(self)}
