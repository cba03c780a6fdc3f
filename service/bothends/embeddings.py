"""Embeddings of one request's sentences, as the client, the server and the in-process encoder share them."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray


class TruncationWarning(UserWarning):
    """Warns that some sentences were longer than the model reads, so that only their first tokens count."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """Embedding of one sentence. Its fields mean the same as those of `Embeddings`."""

    row: NDArray[Any]
    """[dimension]"""
    token_count: int
    truncated: bool
    model_version: str
    scale: np.float32 | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Embeddings of one request's sentences, in order."""

    rows: NDArray[Any]
    """[sentences, dimension]: final forward state, then final backward state. float32, unless another encoding was
    asked for: float16; int8, to be multiplied by `scales`; or uint8 [sentences, dimension/8], a bit a number, 1 above
    0."""
    token_counts: list[int]
    """Number of tokens read of each sentence."""
    truncated: list[bool]
    """Marks of the sentences that were longer than the model reads."""
    model_version: str
    """Version of the model. Vectors of different versions must not be compared."""
    scales: NDArray[np.float32] | None = None
    """Scales of int8 rows: float32 [sentences]."""

    def each(self) -> Iterator[Embedding]:
        """Yield one sentence's embedding after the other, each a copy: keeping one doesn't keep the others in
        memory.
        """
        for index, row in enumerate(self.rows):
            scale = None if self.scales is None else self.scales[index]
            yield Embedding(row.copy(), self.token_counts[index], self.truncated[index], self.model_version, scale)


Write: TypeAlias = Callable[[Embeddings], bytes]
"""Function from embeddings to a response's bytes."""


def joined(parts: Sequence[Embeddings]) -> Embeddings:
    """Concatenate one or more `parts` of one model and in one encoding."""
    scales = [part.scales for part in parts if part.scales is not None]
    return Embeddings(
        np.concatenate([part.rows for part in parts]),
        [count for part in parts for count in part.token_counts],
        [cut for part in parts for cut in part.truncated],
        parts[0].model_version,
        np.concatenate(scales) if scales else None,
    )


def nested(rows: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return the first `size`/2 components of each half of `rows`, joined: float32 [sentences, size].

    The result is a valid embedding if the model's `nested_dimensions` contain `size`. Raises ValueError unless it is
    even, and between 2 and the rows' size.
    """
    width = rows.shape[1] // 2
    if size % 2 or not 2 <= size <= 2 * width:
        raise ValueError(f"size {size} is not an even number from 2 to {2 * width}")
    return np.concatenate((rows[:, : size // 2], rows[:, width : width + size // 2]), axis=1)


def similarity(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
    """Return the cosines of each of `first`, [rows, dimension] or one row, with each of `second`: float32 [rows, rows].

    Rows may hold numbers of any type except sign bits, for which ValueError is raised, and needn't have length 1. A row
    of zeros has cosine 0 with every other. The name is that of sentence-transformers; of tensors a tensor is made.
    """
    left, right = _unit(first), _unit(second)
    return _like(left @ right.T, first, second)


def similarity_pairwise(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
    """Return the cosine of each of `first`, [rows, dimension], with the row of `second` at its place: float32 [rows].

    Otherwise like `similarity`.
    """
    return _like(np.einsum("rd,rd->r", _unit(first), _unit(second)), first, second)


def _unit(rows: Any) -> NDArray[np.float32]:
    """Return `rows`, an array or a tensor of torch, as float32 [rows, dimension] of length 1; rows of zeros stay."""
    found = np.atleast_2d(np.asarray(rows.detach().cpu() if _is_tensor(rows) else rows))
    if found.dtype == np.uint8:
        raise ValueError("rows of sign bits have no cosine; count the bits that differ")
    found = found.astype(np.float32, copy=False)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)
    return unit


def _like(cosines: NDArray[np.float32], first: Any, second: Any) -> NDArray[np.float32]:
    """Return `cosines`, as a tensor on their device where one of the two is a tensor."""
    tensors = [rows for rows in (first, second) if _is_tensor(rows)]
    if not tensors:
        return cosines
    made: NDArray[np.float32] = import_module("torch").from_numpy(cosines).to(tensors[0].device)
    return made


def _is_tensor(rows: Any) -> bool:
    return hasattr(rows, "detach")  # without importing torch, which takes a second and most don't have


class Compared:
    """What a model has beside `encode` for programs that are written for sentence-transformers, by its names there."""

    similarity = staticmethod(similarity)
    """`bothends.embeddings.similarity`."""
    similarity_pairwise = staticmethod(similarity_pairwise)
    """`bothends.embeddings.similarity_pairwise`."""
    similarity_fn_name = "cosine"
    """Name of what both compute."""
    model_card_data = SimpleNamespace(base_model=None, set_evaluation_metrics=lambda *_: None)
    """Stands where evaluators write what they found: nothing keeps it here."""


def rows_or_warning(found: Embeddings) -> NDArray[Any]:
    """Return the rows of `found`; issues TruncationWarning for the calling code's caller if a sentence was cut."""
    if cut := sum(found.truncated):
        warnings.warn(
            f"{cut} of {len(found.rows)} sentences are longer than the model reads and were cut; embed() says which",
            TruncationWarning,
            stacklevel=3,
        )
    return found.rows
