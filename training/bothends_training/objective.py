"""Computes the loss of a batch from the student's and the teachers' vectors.

Its parameters are used in training only.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .recipe import Loss


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
        families: Sequence[bool] = (),
    ) -> None:
        """Make heads for vectors of `dimension` numbers; `teachers` holds the dimension of each one's vectors,
        `weights` what each counts where their similarities are averaged, and `families` whether it does inside groups.
        """
        super().__init__()
        self._plan = plan
        self._weights = weights
        self._kin_weights = [
            weight * among for weight, among in zip(weights, families or [True] * len(weights), strict=True)
        ]
        self.served = Head(dimension, teachers, plan)
        self.nested = nn.ModuleList(Head(size, teachers, plan) for size in plan.nested)

    def forward(self, embedding: Tensor, targets: Sequence[Tensor | None], groups: Tensor) -> Tensor:
        """Return the mean loss, a scalar, for a batch.

        `embedding` is [batch, dimension]; `targets` are each teacher's vectors [batch, its dimension] or None, at least
        one not None; `groups` is the number of each sentence's group, int64 [batch].
        """
        embedding = embedding.float()
        expected = self._expected(targets, (groups.unsqueeze(1) == groups).triu(1))
        loss: Tensor = self.served(embedding, targets, expected)
        if self.nested:
            parts = [
                head(nested(embedding, size), targets, expected)
                for size, head in zip(self._plan.nested, self.nested, strict=True)
            ]
            loss = loss + self._plan.nested_weight * torch.stack(parts).mean()
        return loss

    def _expected(self, targets: Sequence[Tensor | None], kin: Tensor) -> "Relations":
        """What the teachers say of the batch's pairs."""
        cosines = averaged(targets, self._weights)
        if self._kin_weights != self._weights and any(
            weight and found is not None for weight, found in zip(self._kin_weights, targets, strict=True)
        ):
            cosines = torch.where(kin | kin.T, averaged(targets, self._kin_weights), cosines)
        return Relations(cosines, log_rows(cosines, self._plan.relation_temperature), kin)


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
