"""Poolings in PyTorch: each sentence's own steps and no others, and what each is said to mean."""

import math

import pytest
import torch
from torch import Tensor

from bothends.model.architecture import Attention as AttentionConfig
from bothends.model.pooling import POOLINGS, Pooling
from bothends_export.pooling import POOL, Attention, TopStates

LENGTHS = torch.tensor([3, 1, 5])
WIDTH = 4


@pytest.fixture
def steps() -> Tensor:
    """Every step's states, with no numbers at all behind a sentence's end."""
    torch.manual_seed(2)
    made = torch.randn(len(LENGTHS), int(LENGTHS.max()), WIDTH)
    for row, length in enumerate(LENGTHS):
        made[row, length:] = torch.nan
    return made


@pytest.fixture
def attention() -> Attention:
    torch.manual_seed(3)
    return Attention(AttentionConfig(size=6, hops=2), WIDTH)


def pooled(pooling: Pooling, steps: Tensor, lengths: Tensor, attention: Attention) -> Tensor:
    states = TopStates(torch.arange(float(len(lengths))).unsqueeze(1), steps, lengths)
    return attention(states) if pooling == "attention" else POOL[pooling](states)


def test_each_has_a_row_and_is_computed() -> None:
    assert set(POOL) | {"attention"} == set(POOLINGS)
    assert all(kind.meaning for kind in POOLINGS.values())


@pytest.mark.parametrize("pooling", [name for name, kind in POOLINGS.items() if kind.reads_steps])
@torch.inference_mode()
def test_what_stands_behind_the_end_is_never_read(pooling: Pooling, steps: Tensor, attention: Attention) -> None:
    """A sentence in a padded batch has the vector that it has alone, whatever its padding holds."""
    batched = pooled(pooling, steps, LENGTHS, attention)
    assert batched.shape == (3, WIDTH * POOLINGS[pooling].vectors * (2 if pooling == "attention" else 1))
    for row, length in enumerate(LENGTHS):
        alone = pooled(pooling, steps[row : row + 1, :length], LENGTHS[row : row + 1], attention)
        torch.testing.assert_close(batched[row : row + 1], alone, rtol=0, atol=1e-6)


@torch.inference_mode()
def test_attention_is_a_weighted_mean_for_each_hop(steps: Tensor, attention: Attention) -> None:
    """By the formula of Lin and others, A = softmax(W2·tanh(W1·Hᵀ + b)), M = A·H, number by number."""
    own = steps[0, : LENGTHS[0]]
    expected: list[float] = []
    for hop in attention.scores.weight:
        scores = [
            sum(
                float(weight) * math.tanh(float(row @ step) + float(bias))
                for weight, row, bias in zip(hop, attention.hidden.weight, attention.hidden.bias, strict=True)
            )
            for step in own
        ]
        powers = [math.exp(score) for score in scores]
        weights = [power / sum(powers) for power in powers]
        expected += [sum(w * float(step[k]) for w, step in zip(weights, own, strict=True)) for k in range(WIDTH)]
    found = pooled("attention", steps, LENGTHS, attention)[0]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-6)
