"""The losses, each against the same written out in numpy, and what they may and may not feel."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from bothends_training.objective import Head, Objective, log_rows, nested, similarities
from bothends_training.recipe import Loss

DIMENSION, TEACHERS, BATCH = 8, (5, 3), 6
GROUPS = torch.tensor([4, 4, 4, 7, 8, 8])
NOTHING = Loss(imitation_weight=0, relation_weight=0)


def embeddings() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(BATCH, DIMENSION)


def targets() -> list[torch.Tensor | None]:
    torch.manual_seed(2)
    return [functional.normalize(torch.randn(BATCH, width), dim=1) for width in TEACHERS]


def objective(plan: Loss, teachers: Sequence[int] = TEACHERS, weights: Sequence[float] | None = None) -> Objective:
    torch.manual_seed(3)
    return Objective(DIMENSION, teachers, plan, weights=weights or [1] * len(teachers))


def unit(vectors: torch.Tensor) -> NDArray[np.float64]:
    array = vectors.detach().double().numpy()
    found: NDArray[np.float64] = array / np.linalg.norm(array, axis=1, keepdims=True)
    return found


def imitation(maps: torch.nn.ModuleList, vectors: torch.Tensor, found: Sequence[torch.Tensor | None]) -> float:
    """Mean over sentences and present teachers of 1 − cosine."""
    pairs = [(to(vectors), target) for to, target in zip(maps, found, strict=True) if target is not None]
    return float(np.mean([1 - (unit(mapped) * unit(target)).sum(axis=1).mean() for mapped, target in pairs]))


def relation(vectors: torch.Tensor, found: Sequence[torch.Tensor | None], temperature: float) -> float:
    """Mean KL of each sentence's row of similarities to the others."""
    cosines = np.mean([unit(target) @ unit(target).T for target in found if target is not None], axis=0)

    def row(similarities: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        powers = np.exp(np.delete(similarities[number], number) / temperature)
        return np.asarray(powers / powers.sum())

    own = unit(vectors) @ unit(vectors).T
    rows = [(row(cosines, number), row(own, number)) for number in range(BATCH)]
    return float(np.mean([(p * np.log(p / q)).sum() for p, q in rows]))


@pytest.mark.brief
@pytest.mark.parametrize("absent", [None, 0, 1])
def test_imitation_by_hand(absent: int | None) -> None:
    """Each teacher through its own map; one without vectors of the batch plays no part."""
    plan = NOTHING.model_copy(update={"imitation_weight": 2.0})
    made, found = objective(plan), targets()
    if absent is not None:
        found[absent] = None
    expected = 2 * imitation(made.served.to_teachers, embeddings(), found)
    assert made(embeddings(), found, GROUPS).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("absent", [None, 0, 1])
def test_relation_by_hand(absent: int | None) -> None:
    """Rows are held to the mean of the present teachers' similarities, the diagonal left out."""
    plan = NOTHING.model_copy(update={"relation_weight": 3.0, "relation_temperature": 0.5})
    found = targets()
    if absent is not None:
        found[absent] = None
    expected = 3 * relation(embeddings(), found, 0.5)
    assert objective(plan)(embeddings(), found, GROUPS).item() == pytest.approx(expected, abs=1e-5)


@torch.inference_mode()
def test_a_teachers_weight_is_of_its_similarities() -> None:
    """A teacher of weight 2 counts like two of weight 1; one that is absent leaves its weight to the others."""
    plan = NOTHING.model_copy(update={"relation_weight": 1.0, "family_weight": 1.0})
    first, second = targets()
    twice = objective(plan, (5, 5, 3))(embeddings(), [first, first, second], GROUPS)
    weighted = objective(plan, weights=[2, 1])(embeddings(), [first, second], GROUPS)
    torch.testing.assert_close(weighted, twice)
    alone = objective(plan, weights=[2, 1])(embeddings(), [None, second], GROUPS)
    torch.testing.assert_close(alone, objective(plan)(embeddings(), [None, second], GROUPS))


def cosines(found: Sequence[torch.Tensor | None]) -> NDArray[np.float64]:
    """The teachers' cosines of all pairs, averaged."""
    return np.asarray(np.mean([unit(target) @ unit(target).T for target in found if target is not None], axis=0))


def test_family_by_hand() -> None:
    """Cosines inside groups are held to the teachers' averaged ones, in the nested sizes too; others don't count."""
    plan = NOTHING.model_copy(update={"family_weight": 3.0, "nested": (2,), "nested_weight": 0.5})
    found, embedding, expected = targets(), embeddings(), 0.0
    for vectors, weight in ((embedding, 1), (embedding[:, [0, 4]], 0.5)):
        own = unit(vectors) @ unit(vectors).T
        pairs = [(0, 1), (0, 2), (1, 2), (4, 5)]
        expected += weight * 3 * np.mean([(own[pair] - cosines(found)[pair]) ** 2 for pair in pairs])
    assert objective(plan)(embeddings(), found, GROUPS).item() == pytest.approx(expected, abs=1e-5)
    assert objective(plan)(embeddings(), found, torch.arange(BATCH)).item() == 0


def test_nested_sizes_by_hand() -> None:
    """The first k/2 numbers of each half are held to imitation and relation by maps of their own."""
    plan = Loss(nested=(2, 6), nested_weight=0.4, relation_temperature=0.5)
    made, found, embedding = objective(plan), targets(), embeddings()
    expected = imitation(made.served.to_teachers, embedding, found) + relation(embedding, found, 0.5)
    for columns, head in zip(([0, 4], [0, 1, 2, 4, 5, 6]), made.nested, strict=True):
        part = embedding[:, columns]
        torch.testing.assert_close(nested(embedding, len(columns)), part)
        expected += 0.4 / 2 * (imitation(cast("Head", head).to_teachers, part, found) + relation(part, found, 0.5))
    assert made(embeddings(), found, GROUPS).item() == pytest.approx(expected, abs=1e-5)


def test_families_follow_the_teachers_that_count_there() -> None:
    """Within groups the cosines are those of the teachers whose families count, in the relation too; where none of them
    has vectors of the batch, those of the others.
    """
    found = targets()
    groups = torch.arange(BATCH) // 2
    cosines = [similarities(target) for target in found if target is not None]
    plan = Loss(imitation_weight=0, family_weight=1)
    torch.manual_seed(3)
    made = Objective(DIMENSION, TEACHERS, plan, weights=[1, 3], kin_weights=[1, 0])
    kin = groups.unsqueeze(1) == groups
    mixed = torch.where(kin, cosines[0], (cosines[0] + 3 * cosines[1]) / 4)
    own = similarities(embeddings())
    rows = functional.kl_div(log_rows(own, 0.05), log_rows(mixed, 0.05), log_target=True, reduction="batchmean")
    family = (own - cosines[0])[kin.triu(1)].square().mean()
    assert float(made(embeddings(), found, groups).detach()) == pytest.approx(float(rows + family), rel=1e-4)
    alone = Objective(DIMENSION, TEACHERS, plan, weights=[1, 3])
    assert torch.equal(made(embeddings(), [None, found[1]], groups), alone(embeddings(), [None, found[1]], groups))


def test_a_teacher_of_families_alone_is_heard_inside_groups_alone() -> None:
    """No map leads into its space and no row follows it; of a pair of which it lacks a vector the others tell, as of
    all where it has none.
    """
    found, groups = targets(), torch.tensor([4, 4, 4, 7, 8, 8])
    first, alone = (target for target in found if target is not None)
    alone[3:5] = 0  # it lacks the sentence without copies, and one of the last two
    plan = Loss(family_weight=1, nested=(4,))
    torch.manual_seed(3)
    made = Objective(DIMENSION, TEACHERS, plan, weights=[1, 0], kin_weights=[0, 2])
    torch.manual_seed(3)
    without = Objective(DIMENSION, TEACHERS[:1], plan, weights=[1])
    assert made.state_dict().keys() == without.state_dict().keys()
    expected = similarities(first)
    expected[:3, :3] = similarities(alone)[:3, :3]
    own = similarities(embeddings())
    rows = functional.kl_div(log_rows(own, 0.05), log_rows(expected, 0.05), log_target=True, reduction="batchmean")
    family = torch.stack([own[pair] - expected[pair] for pair in [(0, 1), (0, 2), (1, 2), (4, 5)]]).square().mean()
    copied = 1 - functional.cosine_similarity(made.served.to_teachers[0](embeddings()), first).mean()
    made.nested = torch.nn.ModuleList()
    total = float((rows + family + copied).detach())
    assert float(made(embeddings(), [first, alone], groups).detach()) == pytest.approx(total, rel=1e-4)
    fewer = Objective(DIMENSION, TEACHERS[:1], plan, weights=[1])
    fewer.load_state_dict(without.state_dict())
    fewer.nested = torch.nn.ModuleList()
    assert torch.equal(made(embeddings(), [first, None], groups), fewer(embeddings(), [first], groups))
