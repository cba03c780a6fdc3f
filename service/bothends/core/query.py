"""Request for embeddings as parsed by any front, and what is known about it before it is computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from opentelemetry.trace import Span

from ..batching.request import Request
from ..model.tokenizer import Tokens
from ..observe.tracing import NO_SPAN
from ..options import DEFAULT_OPTIONS, Options
from .inputs import Sentences

Rows: TypeAlias = Request
"""float32 [sentences, dimension] to come."""


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """What is known about a request once its sentences are tokenised."""

    model_version: str
    token_counts: list[int]
    truncated: list[bool]
    options: Options
    pieces: list[int] | None = None
    """Number of the rows that are computed of each sentence; None if it is one of each."""

    @classmethod
    def of(
        cls, tokens: Sequence[Tokens], options: Options, model_version: str, *, pieces: list[int] | None = None
    ) -> Self:
        """Make one from the tokens of each sentence, read with `options` by the model of this version."""
        counts = [len(sentence.ids) for sentence in tokens]
        return cls(model_version, counts, [sentence.truncated for sentence in tokens], options, pieces)

    @property
    def in_pieces(self) -> int:
        """Number of sentences that are computed in pieces."""
        return 0 if self.pieces is None else sum(count > 1 for count in self.pieces)


@dataclass(slots=True)
class Query:
    """Sentences to embed and their options, as parsed by any front."""

    sentences: Sentences
    options: Options = DEFAULT_OPTIONS
    deadline: float | None = None
    """Time (by `time.monotonic`) after which nobody waits for the answer; None if never."""
    span: Span = NO_SPAN
    """Span that is linked to each batch that serves it."""
