"""Groups related sentences of a shuffled corpus, so that passages can be made from them.

Sentences are related if their vectors by the packaged encoder are close: a tree halves the sentences along their widest
direction until a few are left in each leaf.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bothends.encoder import Encoder

from ..corpus import place, read_lines

_SAMPLE = 4096
_ROUNDS = 8


def related(corpus: Path, shares: Mapping[str, float], *, size: int = 9) -> Iterator[tuple[str, str, list[str]]]:
    """Yield source, title and sentences of each leaf: up to `size` related sentences of one source.

    `shares` says which part of each source is used. The title is a question among the sentences, or empty.
    """
    found: dict[str, list[str]] = {source: [] for source in shares}
    for source, sentence in read_lines(corpus):
        if place("related " + sentence) < shares.get(source, 0):
            found[source].append(sentence)
    with Encoder.load() as encoder:
        for source, sentences in found.items():
            vectors = np.asarray(encoder.encode(sentences, normalize=True), dtype=np.float32)
            for leaf in leaves(vectors, size):
                members = [sentences[number] for number in leaf]
                questions = [sentence for sentence in members if sentence.endswith("?")]
                yield source, (questions or [""])[0], [sentence for sentence in members if sentence not in questions]


def leaves(vectors: NDArray[np.float32], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield numbers of vectors in groups of at most `size` close ones, each int64 [at most size]; `vectors` are float32
    [vectors, dimension].
    """
    stack = [np.arange(len(vectors))]
    while stack:
        rows = stack.pop()
        if len(rows) <= size:
            yield rows
            continue
        along = vectors[rows] @ _widest(vectors[rows[:: max(1, len(rows) // _SAMPLE)]])
        stack += np.array_split(rows[np.argsort(along, kind="stable")], 2)


def _widest(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """About the direction in which the vectors differ most, by power iteration."""
    centred = vectors - vectors.mean(axis=0, dtype=np.float32)
    direction: NDArray[np.float32] = centred[0] + np.float32(1e-3)
    for _ in range(_ROUNDS):
        direction = centred.T @ (centred @ direction)
        direction /= np.float32(max(float(np.linalg.norm(direction)), 1e-12))
    return direction


def endings(sentences: Sequence[str]) -> list[str]:
    """Return the sentences, each with an end mark and an initial capital, as in a text."""
    return [(s[0].upper() + s[1:] if s[:1].islower() else s) + ("" if s[-1:] in ".!?\"')" else ".") for s in sentences]
