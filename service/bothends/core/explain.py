"""Explains an embedding: the states of both directions, token by token, and the two final states that form it.

The states are the served model's own. A forward pass that has read tokens 0 to t is the whole pass over a sentence that
ends there, so the forward state after token t is the forward half of the embedding of `tokens[:t + 1]`; the backward
state at token t is the backward half of the embedding of `tokens[t:]`. In a model of one layer these are exactly
PyTorch's `output` (tests/core/test_explain.py proves it to 1e-5). In a deeper model they aren't: there a state of the
upper layer has seen the whole sentence through the layer below. So deeper models are refused, and models whose
embedding isn't the two final states.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..embeddings import Embeddings
from ..engines.contract import TokenIds
from ..errors import NotServingError, RequestError
from ..model.tokenizer import Pieces
from .embedder import Embedder

Vector = NDArray[np.float32]
_DIGITS = 6
"""Digits after the point that are shown of a cosine or a state, which are at most 1."""


@dataclass(frozen=True, slots=True)
class Closeness:
    """Cosines to the embedding: of the whole vector, and of each half to its half."""

    whole: float
    forward: float
    backward: float


_CLOSENESS = tuple(field.name for field in fields(Closeness))


@dataclass(frozen=True, slots=True)
class Explanation:
    """States of each direction at each of a sentence's n tokens, and what can be computed from them."""

    pieces: Pieces
    model_version: str
    forward: Vector
    """float32 [n, hidden]; row t has read tokens 0 to t."""
    backward: Vector
    """float32 [n, hidden]; row t has read tokens n-1 back to t."""

    @property
    def output(self) -> Vector:
        """States like PyTorch's `output`: float32 [n, 2·hidden]."""
        return np.concatenate((self.forward, self.backward), axis=1)

    @property
    def embedding(self) -> Vector:
        """Embedding made of the two final states, float32 [2·hidden]: `cat(h_n[-2], h_n[-1])`."""
        return np.concatenate((self.forward[-1], self.backward[0]))

    @property
    def candidates(self) -> dict[str, Vector]:
        """Embedding, and vectors that are often mistaken for it, by name; each float32 [2·hidden]."""
        output = self.output
        return {
            "embedding": self.embedding,
            "output[-1]": output[-1],
            "output[0]": output[0],
            "mean": output.mean(axis=0),
            "max": output.max(axis=0),
        }

    def closeness(self, vector: Vector) -> Closeness:
        """Return the cosines of `vector`, float32 [2·hidden], to the embedding."""
        return Closeness(*(float(cosine) for cosine in self._cosines(vector[np.newaxis])[:, 0]))

    def _cosines(self, vectors: Vector) -> NDArray[np.float64]:
        """Cosines of `vectors`, float32 [n, 2·hidden], to the embedding: float64 [3, n], as Closeness lists them."""
        pairs = zip(np.split(vectors, 2, axis=1), np.split(self.embedding, 2), strict=True)
        return np.stack((_cosines(vectors, self.embedding), *(_cosines(half, right) for half, right in pairs)))

    def as_json(self, *, numbers: int | None = None) -> dict[str, Any]:
        """Return the tokens, the states and their cosines as JSON values. `numbers` limits each state to this many
        evenly chosen components; None keeps all.
        """
        hidden, count, candidates = self.forward.shape[1], len(self.pieces.texts), self.candidates
        chosen = np.linspace(0, hidden - 1, min(numbers or hidden, hidden)).round().astype(int)
        vectors = np.concatenate(
            (self.output, np.stack(list(candidates.values())))
        )  # all at once: it's a server's time
        states = vectors.reshape(len(vectors), 2, hidden)[:, :, chosen].astype(float).round(_DIGITS).tolist()
        cosines = self._cosines(vectors).T.round(_DIGITS).tolist()
        written = [
            {"forward": forward, "backward": backward, "cosine": dict(zip(_CLOSENESS, cosine, strict=True))}
            for (forward, backward), cosine in zip(states, cosines, strict=True)
        ]
        pieces = zip(self.pieces.texts, self.pieces.places, self.pieces.unknown, strict=True)
        return {
            "model_version": self.model_version,
            "truncated": self.pieces.truncated,
            "tokens": [
                {"text": text, "start": start, "end": end, "unknown": unknown} for text, (start, end), unknown in pieces
            ],
            "numbers": {"shown": len(chosen), "of": hidden},
            "output": written[:count],
            "candidates": dict(zip(candidates, written[count:], strict=True)),
        }


@dataclass(frozen=True, slots=True)
class Parts:
    """Sentence cut into tokens, before its states are known."""

    pieces: Pieces
    model_version: str

    @classmethod
    def of(
        cls,
        sentence: str,
        embedder: Embedder,
        *,
        deadline: float | None = None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> Self:
        """Tokenise `sentence`. Raises what `embedder.tokenise` raises, and RequestError if it can't be explained."""
        config = embedder.model.config
        if config.layers > 1:
            raise RequestError(
                f"{config.name} has {config.layers} layers; only a model of one layer can be explained: the states of "
                "an upper layer have seen the whole sentence at every token",
                field="model",
            )
        if config.pooling != "final_states" or not config.has_halves:
            raise RequestError(
                f"{config.name} is a {config.described()}; only a model whose embedding is its two final states can be "
                "explained: in others the states can't be told from embeddings",
                field="model",
            )
        model_version, (pieces,) = embedder.tokenise([sentence], deadline=deadline, is_over=is_over)
        parts = cls(pieces, model_version)
        if len(parts.sequences) > embedder.limits.sentences:
            raise RequestError(
                f"the sentence has {len(pieces.ids)} tokens, to explain which {len(parts.sequences)} sequences would "
                f"be embedded; this server's limit is {embedder.limits.sentences} a request",
                field="sentence",
            )
        return parts

    @property
    def sequences(self) -> list[TokenIds]:
        """Return the token ids to embed: every prefix of the sentence, the last being all of it, then every suffix."""
        ids = self.pieces.ids
        return [*(ids[: step + 1] for step in range(len(ids))), *(ids[step:] for step in range(1, len(ids)))]

    def explained(self, found: Embeddings) -> Explanation:
        """Return the explanation from `found`, the embeddings of `sequences`.

        Raises NotServingError if another model made them.
        """
        if found.model_version != self.model_version:
            raise NotServingError("a newer model took over in the middle; try again")
        count = len(self.pieces.ids)
        forward, backward = np.split(found.rows, 2, axis=1)
        return Explanation(self.pieces, self.model_version, forward[:count], backward[count - 1 :])


def explain(sentence: str, embedder: Embedder, *, timeout_s: float | None = None) -> Explanation:
    """Explain where the embedding of `sentence` comes from. Raises like `embedder.embed` and `Parts.of`."""
    parts = Parts.of(sentence, embedder)
    return parts.explained(embedder.embed(parts.sequences, timeout_s=timeout_s))


def _cosines(rows: Vector, one: Vector) -> NDArray[np.float64]:
    """Cosine of each of `rows` to `one`; 0 where either has no direction, being zeros: float64 [n]."""
    rows64, one64 = rows.astype(np.float64), one.astype(np.float64)
    lengths = np.linalg.norm(rows64, axis=1) * np.linalg.norm(one64)
    cosines: NDArray[np.float64] = np.divide(rows64 @ one64, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    return cosines
