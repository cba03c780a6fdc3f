"""Takes pairs of sentences, near and far, from each source of a corpus; a teacher scores them, and they aren't learned.

People's scores exist for a few kinds of text only; a teacher's cosines can be computed for any.
"""

import hashlib
import heapq
import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .compose import compose
from .corpus import place, read_lines
from .errors import RecipeError
from .evaluate import Pairs
from .recipe import HeldOut
from .vectors import Source, cached_vectors

COPIES = "copies"
"""Name of the pairs of a sentence, of any source, and an altered copy of it."""
_GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, less their whole parts, fill the interval from 0 to 1 evenly, however many."""


def choose(plan: HeldOut, corpus: Path) -> dict[str, list[str]]:
    """Return the held-out sentences of each source in the file `corpus`, chosen by a hash of the sentence.

    Raises RecipeError if a source has fewer than the plan asks for.
    """
    found: dict[str, dict[str, None]] = {source: {} for source in plan.sources}
    for source, sentence in read_lines(corpus):
        if source in found:
            found[source][sentence] = None
    for source, sentences in found.items():
        if len(sentences) < plan.sentences:
            raise RecipeError(f"held_out: {corpus} has {len(sentences)} sentences of {source}, not {plan.sentences}")
    return {source: heapq.nlargest(plan.sentences, sentences, key=place) for source, sentences in found.items()}


def judged(chosen: dict[str, list[str]], judge: Source, cache: Path) -> list[Pairs]:
    """Return each source's sentences as pairs, and pairs of sentences with their copies, scored by the cosines of the
    `judge`'s vectors.

    `chosen` maps a source's name to its held-out sentences. The pairs are also written to `cache`, as files that
    `bothends evaluate` reads.
    """
    everything = [sentence for sentences in chosen.values() for sentence in sentences]
    copies = [(text, copy) for text in everything for copy in compose(text, random.Random(text), copies=1)]  # noqa: S311
    cached_vectors(judge, [*everything, *(copy for _, copy in copies)], cache)  # in one go
    pairs = {source: near_and_far(sentences, judge, cache) for source, sentences in chosen.items()}
    if len(copies) > 1:
        pairs[COPIES] = copies[:: -(-len(copies) * len(chosen) // len(everything))]  # about as many as of a source
    identity = "\n".join((judge.identity, *everything))
    folder = cache / f"held-out-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return [_scored(found, judge, cache, folder / f"{name}.tsv") for name, found in pairs.items()]


def near_and_far(sentences: list[str], judge: Source, cache: Path) -> list[tuple[str, str]]:
    """Return about as many different pairs of these sentences as there are sentences, from nearest neighbours to
    unrelated.

    A sentence has few neighbours and many unrelated sentences, so the other one's rank by the cosines of the `judge`'s
    vectors, which are kept in `cache`, is chosen evenly on a logarithmic scale.
    """
    vectors = cached_vectors(judge, sentences, cache)[:]
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)  # a sentence is its own last neighbour
    neighbours = np.argsort(-cosines, axis=1, kind="stable")
    own = np.arange(len(sentences))
    ranks = np.floor((len(own) - 1) ** (own * _GOLDEN % 1)).astype(np.int64) - 1
    pairs: NDArray[np.int64] = np.unique(np.sort(np.stack([own, neighbours[own, ranks]], axis=1), axis=1), axis=0)
    return [(sentences[one], sentences[other]) for one, other in pairs]


def _scored(pairs: list[tuple[str, str]], judge: Source, cache: Path, file: Path) -> Pairs:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    cosines = (cached_vectors(judge, first, cache)[:] * cached_vectors(judge, second, cache)[:]).sum(axis=1)
    scores = [round(float(cosine), 4) for cosine in cosines]
    lines = [f"{score}\t{one}\t{other}\n" for score, one, other in zip(scores, first, second, strict=True)]
    file.write_text("".join(lines), encoding="utf-8")
    return Pairs(file.stem, scores, first, second)
