"""The encoders that are measured, by name: sizes, depths, poolings, cells, and two that are public."""

from collections.abc import Iterator
from typing import Any

from bothends.model.architecture import EncoderConfig

VOCABULARY = 1000
"""Rows of each table. Few, so that random ids come again, as words of a text do."""
INFERSENT = "InferSent (1 × 2048 over 300, max)"
LASER = "LASER (5 × 512 over 320, max)"
_SIZES = ((256, 1), (512, 1), (1024, 1), (2048, 1), (256, 2), (512, 2), (1024, 2), (2048, 2), (512, 5))
_OTHERS: dict[str, dict[str, Any]] = {
    "512 × 1, max": {"pooling": "max"},
    "512 × 1, mean": {"pooling": "mean"},
    "512 × 1, attention of 4 hops": {"pooling": "attention", "attention": {"size": 128, "hops": 4}},
    "512 × 2, max": {"layers": 2, "pooling": "max"},
    "512 × 1, one way": {"bidirectional": False},
    "GRU 512 × 1": {"cell": "gru"},
    "GRU 512 × 2": {"cell": "gru", "layers": 2},
    "GRU 512 × 1, max": {"cell": "gru", "pooling": "max"},
    "512 over 256 units": {"layers": 2, "hidden_sizes": (256, 512)},
    "512 × 1, projected to 256": {"projection_size": 256},
    INFERSENT: {"hidden_size": 2048, "embedding_size": 300, "pooling": "max"},
    LASER: {"layers": 5, "embedding_size": 320, "pooling": "max"},
}
QUICK = ("256 × 1", "512 × 2", "512 × 1, attention of 4 hops", "GRU 512 × 1")
"""Those that show in two minutes that all works."""


def shapes() -> dict[str, EncoderConfig]:
    """Return the encoders by their names: bidirectional LSTMs read by their final states, unless the name says more."""
    return dict(_named())


def _named() -> Iterator[tuple[str, EncoderConfig]]:
    for hidden_size, layers in _SIZES:
        yield f"{hidden_size} × {layers}", _config(hidden_size=hidden_size, embedding_size=hidden_size, layers=layers)
    for name, more in _OTHERS.items():
        yield name, _config(**more)


def _config(**more: Any) -> EncoderConfig:
    sizes = {"vocabulary_size": VOCABULARY, "embedding_size": 512, "hidden_size": 512, "layers": 1}
    return EncoderConfig.model_validate(sizes | more)


def operations(config: EncoderConfig, tokens: int) -> float:
    """Return the multiplications and additions that a sentence's recurrence takes, whoever computes it.

    Those of the first layer's inputs aren't counted: they are the same each time a token comes.
    """
    gates = 4 if config.cell == "lstm" else 3
    each = 0.0
    for layer, width in enumerate(config.widths):
        state = config.projection_size or width
        read = state + (config.layer_input_size(layer) if layer else 0)
        each += config.directions * width * (gates * read + (config.projection_size or 0))
    return 2 * each * tokens
