"""A batch's student and teacher vectors to one loss. Its parameters exist in training only.

Knows nothing of tokens, files or optimisers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .padded_lstm import States
from .recipe import Loss


class Objective(nn.Module):
    """The recipe's losses on the very vector that is served, and on what stands beside it.

    Every loss looks at the teachers that have vectors of the batch, each by itself through a linear map of its own, or
    all at once through their similarities, added. Dimensions nested in the served one and the mean of the states are
    held to the same imitation and relation by maps of their own.
    """

    def __init__(self, dimension: int, teachers: Sequence[int], plan: Loss) -> None:
        """Make heads for vectors of `dimension` numbers; `teachers` holds the dimension of each one's vectors."""
        super().__init__()
        self._plan = plan
        self.served = Head(dimension, teachers, plan)
        self.nested = nn.ModuleList(Head(size, teachers, plan) for size in plan.nested)
        self.mean_state = Head(dimension, teachers, plan) if plan.mean_state_weight else None

    def forward(self, states: States, targets: Sequence[Tensor | None]) -> Tensor:
        """The mean loss, a scalar, for a batch's states, and each teacher's vectors [batch, its dimension] or None.

        At least one teacher has vectors.
        """
        expected = log_rows(
            torch.stack([similarities(found) for found in targets if found is not None]).mean(0),
            self._plan.relation_temperature,
        )
        embedding = states.embedding.float()
        loss: Tensor = self.served(embedding, targets, expected)
        if self._plan.contrast_weight:
            loss = loss + self._plan.contrast_weight * self.served.contrast(embedding, targets)
        if self.nested:
            parts = [
                head(nested(embedding, size), targets, expected)
                for size, head in zip(self._plan.nested, self.nested, strict=True)
            ]
            loss = loss + self._plan.nested_weight * torch.stack(parts).mean()
        if self.mean_state is not None:
            loss = loss + self._plan.mean_state_weight * self.mean_state(states.mean.float(), targets, expected)
        return loss


class Head(nn.Module):
    """Imitation, relation and contrast of one kind of vector, with a linear map into each teacher's space."""

    def __init__(self, dimension: int, teachers: Sequence[int], plan: Loss) -> None:
        super().__init__()
        self._plan = plan
        self.to_teachers = nn.ModuleList(nn.Linear(dimension, width) for width in teachers)

    def forward(self, vectors: Tensor, targets: Sequence[Tensor | None], expected: Tensor) -> Tensor:
        """Imitation, 1 − cosine(map(vector), teacher), and relation, KL(teachers' ‖ student's rows of similarities).

        `expected` is the teachers' `log_rows`. The second is relational distillation (Park et al., "Relational
        Knowledge Distillation", CVPR 2019) over softmax rows, the diagonal left out.
        """
        apart = [
            1 - functional.cosine_similarity(mapped, found).mean() for mapped, found in self._pairs(vectors, targets)
        ]
        rows = log_rows(similarities(vectors), self._plan.relation_temperature)
        relation = functional.kl_div(rows, expected, log_target=True, reduction="batchmean")
        return self._plan.imitation_weight * torch.stack(apart).mean() + self._plan.relation_weight * relation

    def contrast(self, vectors: Tensor, targets: Sequence[Tensor | None]) -> Tensor:
        """InfoNCE (van den Oord et al., 2018): of all teacher vectors in the batch, each sentence finds its own."""
        losses = []
        for mapped, found in self._pairs(vectors, targets):
            cosines = functional.normalize(mapped, dim=1) @ functional.normalize(found, dim=1).T
            own = torch.arange(len(cosines), device=cosines.device)
            losses.append(functional.cross_entropy(cosines / self._plan.contrast_temperature, own))
        return torch.stack(losses).mean()

    def _pairs(self, vectors: Tensor, targets: Sequence[Tensor | None]) -> list[tuple[Tensor, Tensor]]:
        """The vectors in each present teacher's space, beside that teacher's own."""
        both = zip(self.to_teachers, targets, strict=True)
        return [(to_teacher(vectors), found) for to_teacher, found in both if found is not None]


def nested(embedding: Tensor, size: int) -> Tensor:
    """The first `size`/2 numbers of each half of `embedding` [batch, dimension]: [batch, size]."""
    ahead, back = embedding.chunk(2, dim=1)
    return torch.cat((ahead[:, : size // 2], back[:, : size // 2]), dim=1)


def similarities(vectors: Tensor) -> Tensor:
    """Cosines of all pairs, [batch, batch]."""
    unit = functional.normalize(vectors, dim=1)
    return unit @ unit.T


def log_rows(cosines: Tensor, temperature: float) -> Tensor:
    """Log-probabilities of every other sentence by similarity, [batch, batch - 1]."""
    others = ~torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    return functional.log_softmax(cosines[others].view(len(cosines), -1) / temperature, dim=1)
