"""Encoders of every kind that a config describes, drawn by a number."""

import random
from typing import get_args

from bothends.model.architecture import Attention, Cell, EncoderConfig, Head
from bothends.model.pooling import POOLINGS


def random_config(seed: int, *, max_width: int = 70) -> EncoderConfig:
    """An encoder whose cell, pooling, depth, widths, head and the rest are drawn: each number gives the same one."""
    draw = random.Random(seed)  # noqa: S311  nothing secret

    def width() -> int:
        return draw.choice([1, 7, 16, 20, 33, 48, 64, max_width])

    pooling = list(POOLINGS)[seed % len(POOLINGS)]
    cell = get_args(Cell)[seed // len(POOLINGS) % 2]
    layers = draw.choice([1, 1, 2, 2, 3, 5, 8])
    hidden = max(2, width())
    sizes = [width() for _ in range(layers - 1)] + [hidden]
    is_uneven = draw.random() < 0.3 and len(set(sizes)) > 1
    is_projected = cell == "lstm" and not is_uneven and draw.random() < 0.35
    return EncoderConfig(
        cell=cell,
        pooling=pooling,
        attention=Attention(size=width(), hops=draw.choice([1, 2, 5])) if pooling == "attention" else None,
        vocabulary_size=100,
        embedding_size=width(),
        input_projection=width() if draw.random() < 0.3 else None,
        hidden_size=hidden,
        hidden_sizes=tuple(sizes) if is_uneven else None,
        projection_size=draw.randint(1, hidden - 1) if is_projected else None,
        layers=layers,
        bidirectional=draw.random() < 0.7,
        bias=draw.random() < 0.8,
        reset_after=cell == "lstm" or draw.random() < 0.6,
        learned_initial_states=not is_uneven and draw.random() < 0.3,
        head=Head(size=width(), then=draw.choice(["none", "tanh", "relu", "layer_norm"]))
        if draw.random() < 0.4
        else None,
    )
