"""Computes the loss of a batch from the student's and the teachers' vectors.

Its parameters are used in training only.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .recipe import Loss

_T = TypeVar("_T")


class Objective(nn.Module):
    """Losses of a recipe on the vector that is served, and on the nested shorter vectors in it.

    Every loss uses the teachers that have vectors of the batch, either each by itself through its own linear map, or
    all together through the average of their similarities. Nested vectors get the same imitation, relation and family
    losses, through their own maps.
    """

    def __init__(
        self,
        dimension: int,
        teachers: Sequence[int],
        plan: Loss,
        *,
        weights: Sequence[float],
        kin_weights: Sequence[float] | None = None,
    ) -> None:
        """Make heads for vectors of `dimension` numbers; `teachers` holds the dimension of each one's vectors,
        `weights` what each counts where their similarities are averaged, and `kin_weights` what it does inside groups:
        the same by default. A teacher of weight 0 isn't imitated either.
        """
        super().__init__()
        self._plan = plan
        self._weights = weights
        self._kin_weights = weights if kin_weights is None else kin_weights
        widths = counted(teachers, weights)
        self.served = Head(dimension, widths, plan)
        self.nested = nn.ModuleList(Head(size, widths, plan) for size in plan.nested)

    def forward(self, embedding: Tensor, targets: Sequence[Tensor | None], groups: Tensor) -> Tensor:
        """Return the mean loss, a scalar, for a batch.

        `embedding` is [batch, dimension]; `targets` are each teacher's vectors [batch, its dimension] or None, at least
        one of weight not None; `groups` is the number of each sentence's group, int64 [batch].
        """
        embedding = embedding.float()
        expected = self._expected(targets, (groups.unsqueeze(1) == groups).triu(1))
        imitated = counted(targets, self._weights)
        loss: Tensor = self.served(embedding, imitated, expected)
        if self.nested:
            parts = [
                head(nested(embedding, size), imitated, expected)
                for size, head in zip(self._plan.nested, self.nested, strict=True)
            ]
            loss = loss + self._plan.nested_weight * torch.stack(parts).mean()
        return loss

    def _expected(self, targets: Sequence[Tensor | None], kin: Tensor) -> "Relations":
        """What the teachers say of the batch's pairs. A vector of zeros is one that a teacher lacks."""
        cosines = averaged(targets, self._weights)
        present = [found for found in counted(targets, self._kin_weights) if found is not None]
        if present and self._kin_weights != self._weights:
            known = torch.stack([found.any(1) for found in present]).all(0)
            told = (kin | kin.T) & known & known.unsqueeze(1)
            cosines = torch.where(told, averaged(targets, self._kin_weights), cosines)
        return Relations(cosines, log_rows(cosines, self._plan.relation_temperature), kin)


def counted(of_teachers: Sequence[_T], weights: Sequence[float]) -> list[_T]:
    """Return what `of_teachers` has of each teacher, of those alone that have a weight."""
    return [found for found, weight in zip(of_teachers, weights, strict=True) if weight]


def averaged(targets: Sequence[Tensor | None], weights: Sequence[float]) -> Tensor:
    """Return the cosines of all pairs of a batch, float32 [batch, batch]: the average over the teachers that have
    vectors of it, weighted by `weights`.

    `targets` are each teacher's vectors [batch, its dimension], or None.
    """
    present = [(weight, found) for weight, found in zip(weights, targets, strict=True) if found is not None and weight]
    total = sum(weight for weight, _ in present)
    return torch.stack([weight / total * similarities(found) for weight, found in present]).sum(0)


class Relations(NamedTuple):
    """Relations between the sentences of a batch, as the teachers give them."""

    cosines: Tensor
    """The teachers' cosines, averaged by their weights, [batch, batch]."""
    log_rows: Tensor
    """Log-probabilities of the cosines by `log_rows`, [batch, batch - 1]."""
    kin: Tensor
    """Pairs of one group, bool [batch, batch]; each pair once."""


class Head(nn.Module):
    """Imitation, relation and family losses of one kind of vector, with a linear map into each teacher's space."""

    def __init__(self, dimension: int, teachers: Sequence[int], plan: Loss) -> None:
        """Make maps from vectors of `dimension` numbers into each teacher's space; `teachers` holds the dimension of
        each. `plan` has the losses' settings.
        """
        super().__init__()
        self._plan = plan
        self.to_teachers = nn.ModuleList(nn.Linear(dimension, width) for width in teachers)

    def forward(self, vectors: Tensor, targets: Sequence[Tensor | None], expected: Relations) -> Tensor:
        """Return three losses: imitation, relation and family.

        Imitation is 1 − cosine(map(vector), teacher); relation is KL(teachers' ‖ student's rows of similarities);
        family is the squared error of the cosines inside groups. Relation is relational distillation (Park et al.,
        "Relational Knowledge Distillation", CVPR 2019) over softmax rows without the diagonal.
        """
        apart = [
            1 - functional.cosine_similarity(to_teacher(vectors), found).mean()
            for to_teacher, found in zip(self.to_teachers, targets, strict=True)
            if found is not None
        ]
        cosines = similarities(vectors)
        rows = log_rows(cosines, self._plan.relation_temperature)
        relation = functional.kl_div(rows, expected.log_rows, log_target=True, reduction="batchmean")
        loss = self._plan.imitation_weight * torch.stack(apart).mean() + self._plan.relation_weight * relation
        if self._plan.family_weight:
            errors = ((cosines - expected.cosines) * expected.kin).square().sum()
            loss = loss + self._plan.family_weight * errors / expected.kin.sum().clamp(min=1)
        return loss


def nested(embedding: Tensor, size: int) -> Tensor:
    """Return the first `size`/2 components of each half of `embedding` [batch, dimension]: [batch, size]."""
    ahead, back = embedding.chunk(2, dim=1)
    return torch.cat((ahead[:, : size // 2], back[:, : size // 2]), dim=1)


def similarities(vectors: Tensor) -> Tensor:
    """Return the cosines of all pairs of `vectors` [batch, dimension]: [batch, batch]."""
    unit = functional.normalize(vectors, dim=1)
    return unit @ unit.T


def log_rows(cosines: Tensor, temperature: float) -> Tensor:
    """Return for each sentence the log-probabilities of every other one, [batch, batch - 1]: a softmax of its row of
    `cosines` [batch, batch] divided by `temperature`, without the diagonal.
    """
    size, logits = len(cosines), cosines / temperature
    # Without the first number, every (size + 1)-th is a sentence's cosine to itself: no mask, whose count a GPU would
    # have to tell first, and whose gradient is added up number by number.
    others = logits.flatten()[1:].view(size - 1, size + 1)[:, :-1].reshape(size, size - 1)
    return functional.log_softmax(others, dim=1)
