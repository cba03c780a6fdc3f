"""Tells how well a student fits its teachers, on texts that it is taught and on as many that it isn't.

A student that lacks room fits neither; one that lacks texts fits the first and not the second.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .corpus import TokenisedCorpus
from .objective import Head, averaged, counted, log_rows, similarities
from .recipe import Recipe

NEAREST = 10
"""Nearest texts of each text that are looked for."""
Numbers = NDArray[np.int64]


def taught(recipe: Recipe, corpus: TokenisedCorpus) -> int:
    """The number of texts, from the top, that steps may read of the corpus's sentences: all but those of the last
    `recipe.fit` groups.
    """
    groups = corpus.groups[: corpus.documents]
    return int(np.searchsorted(groups, groups[-1] + 1 - recipe.fit)) if recipe.fit else corpus.documents


def looked_at(recipe: Recipe, corpus: TokenisedCorpus) -> dict[str, Numbers]:
    """The texts, by their numbers, of the first and of the last `recipe.fit` groups of sentences: taught and untaught.

    None where the recipe asks for none.
    """
    if not recipe.fit:
        return {}
    first = int(np.searchsorted(corpus.groups[: corpus.documents], recipe.fit))
    return {"taught": np.arange(first), "untaught": np.arange(taught(recipe, corpus), corpus.documents)}


@torch.inference_mode()
def fit(vectors: Tensor, head: Head, targets: Sequence[Tensor | None], recipe: Recipe) -> dict[str, float]:
    """How well `vectors` [texts, dimension], through the maps of `head`, fit what the teachers say of the same texts,
    [texts, its dimension] each.

    Mean cosine × 100 to each teacher; `relation`, the KL between rows of similarities, as the loss has it but over all
    of these texts; and `neighbours`, the percentage of the teachers' NEAREST texts that are among the student's.
    """
    weights = [teacher.row_weight for teacher in recipe.teachers]
    names, imitated = counted([teacher.name for teacher in recipe.teachers], weights), counted(targets, weights)
    found = {
        name: 100 * float(functional.cosine_similarity(to_teacher(vectors), target).mean())
        for name, to_teacher, target in zip(names, head.to_teachers, imitated, strict=True)
        if target is not None
    }
    expected, cosines = averaged(targets, weights), similarities(vectors)
    rows, wanted = (log_rows(all_pairs, recipe.loss.relation_temperature) for all_pairs in (cosines, expected))
    relation = functional.kl_div(rows, wanted, log_target=True, reduction="batchmean")
    return {**found, "relation": float(relation), "neighbours": 100 * shared(expected, cosines)}


def shared(expected: Tensor, cosines: Tensor) -> float:
    """The share of each text's NEAREST others by `expected` that `cosines`, [texts, texts] both, find too."""
    first, second = (
        torch.zeros_like(pairs, dtype=torch.bool).scatter_(1, _nearest(pairs), value=True)
        for pairs in (expected, cosines)
    )
    return float((first & second).sum() / first.sum())


def _nearest(cosines: Tensor) -> Tensor:
    """The numbers of each text's nearest others, [texts, NEAREST], or fewer where there are fewer."""
    others = cosines - 3 * torch.eye(len(cosines), device=cosines.device)  # itself comes last
    return others.topk(min(NEAREST, len(cosines) - 1), dim=1).indices
