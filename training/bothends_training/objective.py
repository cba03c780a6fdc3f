"""Computes the loss of a batch from the student's and the teachers' vectors. Its parameters exist in training only."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .ragged_lstm import States
from .recipe import Loss

_NO_SHARE = -1e4
"""Logit of a pair that has no share of its row: finite, since the difference of two infinite ones is no number."""


class Objective(nn.Module):
    """The recipe's losses on the very vector that is served, and on what stands beside it.

    Every loss looks at the teachers that have vectors of the batch, each by itself through a linear map of its own, or
    all at once through their similarities, averaged. Dimensions nested in the served one and the mean of the states are
    held to the same imitation, relation and family by maps of their own.
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
        self.mean_state = Head(dimension, teachers, plan) if plan.mean_state_weight else None

    def forward(
        self, states: States, targets: Sequence[Tensor | None], groups: Tensor, exchanged: Tensor | None = None
    ) -> Tensor:
        """The mean loss, a scalar, for a batch's states, each teacher's vectors [batch, its dimension] or None, the
        number of each sentence's group, int64 [batch], and, if any are, which of them have exchanged roles, bool
        [batch].

        At least one teacher has vectors.
        """
        kin = (groups.unsqueeze(1) == groups).triu(1)
        expected = self._expected(targets, kin, exchanged)
        embedding = states.embedding.float()
        loss: Tensor = self.served(embedding, targets, expected)
        if self._plan.contrast_weight:
            loss = loss + self._plan.contrast_weight * self.served.contrast(embedding, targets)
        if self._plan.rank_weight:
            loss = loss + self._plan.rank_weight * rank(
                similarities(embedding), expected.cosines, temperature=self._plan.rank_temperature
            )
        if self.nested:
            parts = [
                head(nested(embedding, size), targets, expected)
                for size, head in zip(self._plan.nested, self.nested, strict=True)
            ]
            loss = loss + self._plan.nested_weight * torch.stack(parts).mean()
        if self.mean_state is not None and states.mean is not None:
            loss = loss + self._plan.mean_state_weight * self.mean_state(states.mean.float(), targets, expected)
        return loss

    def _expected(self, targets: Sequence[Tensor | None], kin: Tensor, exchanged: Tensor | None) -> "Relations":
        """What the teachers, and a rule where they hear nothing, say of the batch's pairs."""
        cosines = averaged(targets, self._weights)
        either_way = kin | kin.T
        if self._kin_weights != self._weights and any(
            weight and found is not None for weight, found in zip(self._kin_weights, targets, strict=True)
        ):
            cosines = torch.where(either_way, averaged(targets, self._kin_weights), cosines)
        if exchanged is not None:
            apart = either_way & (exchanged.unsqueeze(1) != exchanged)
            cosines = torch.where(apart, cosines.clamp(max=self._plan.exchanged_cosine), cosines)
        left_out = None if self._plan.relation_of_kin else either_way
        return Relations(cosines, log_rows(cosines, self._plan.relation_temperature, left_out), kin, left_out)


def averaged(targets: Sequence[Tensor | None], weights: Sequence[float]) -> Tensor:
    """The cosines of all pairs, [batch, batch], by the teachers that have vectors of the batch, averaged by weight."""
    present = [(weight, found) for weight, found in zip(weights, targets, strict=True) if found is not None and weight]
    total = sum(weight for weight, _ in present)
    return torch.stack([weight / total * similarities(found) for weight, found in present]).sum(0)


class Relations(NamedTuple):
    """Relations of a batch's sentences to each other."""

    cosines: Tensor
    """The teachers' cosines, averaged by their weights, [batch, batch]."""
    log_rows: Tensor
    """The `log_rows` of them, [batch, batch - 1]."""
    kin: Tensor
    """Pairs of one group, bool [batch, batch]; each pair once."""
    left_out: Tensor | None
    """Pairs that `log_rows` holds no share of, bool [batch, batch], if there are any."""


class Head(nn.Module):
    """Imitation, relation, family and contrast of one kind of vector, with a linear map into each teacher's space."""

    def __init__(self, dimension: int, teachers: Sequence[int], plan: Loss) -> None:
        super().__init__()
        self._plan = plan
        self.to_teachers = nn.ModuleList(nn.Linear(dimension, width) for width in teachers)

    def forward(self, vectors: Tensor, targets: Sequence[Tensor | None], expected: Relations) -> Tensor:
        """Imitation, 1 − cosine(map(vector), teacher); relation, KL(teachers' ‖ student's rows of similarities); and
        family, the squared error of cosines inside groups.

        The second is relational distillation (Park et al., "Relational Knowledge Distillation", CVPR 2019) over
        softmax rows, the diagonal left out.
        """
        apart = [
            1 - functional.cosine_similarity(mapped, found).mean() for mapped, found in self._pairs(vectors, targets)
        ]
        cosines = similarities(vectors)
        rows = log_rows(cosines, self._plan.relation_temperature, expected.left_out)
        relation = functional.kl_div(rows, expected.log_rows, log_target=True, reduction="batchmean")
        loss = self._plan.imitation_weight * torch.stack(apart).mean() + self._plan.relation_weight * relation
        if self._plan.family_weight:
            errors = ((cosines - expected.cosines) * expected.kin).square().sum()
            loss = loss + self._plan.family_weight * errors / expected.kin.sum().clamp(min=1)
        return loss

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


def rank(cosines: Tensor, expected: Tensor, *, temperature: float) -> Tensor:
    """Loss of every two pairs that `cosines` ranks otherwise than `expected`, both [batch, batch]: a scalar.

    log(1 + Σ exp((cosine(b) − cosine(a)) / temperature)) over all pairs a and b of the batch's sentences of which
    `expected` holds a for the nearer (CoSENT: Su, kexue.fm/archives/8847, 2022), by one sorting of the pairs.
    """
    ahead, back = torch.triu_indices(len(cosines), len(cosines), 1, device=cosines.device)
    order = expected[ahead, back].argsort()
    scaled = cosines[ahead, back][order] / temperature
    below = scaled[:-1].logcumsumexp(0)  # of all that should be further apart than the next
    return functional.softplus((below - scaled[1:]).logsumexp(0))


def log_rows(cosines: Tensor, temperature: float, left_out: Tensor | None = None) -> Tensor:
    """Log-probabilities of every other sentence by similarity, [batch, batch - 1]; pairs `left_out` have none."""
    size, logits = len(cosines), cosines / temperature
    if left_out is not None:
        logits = logits.masked_fill(left_out, _NO_SHARE)
    # Without the first number, every (size + 1)-th is a sentence's cosine to itself: no mask, whose count a GPU would
    # have to tell first, and whose gradient is added up number by number.
    others = logits.flatten()[1:].view(size - 1, size + 1)[:, :-1].reshape(size, size - 1)
    return functional.log_softmax(others, dim=1)
