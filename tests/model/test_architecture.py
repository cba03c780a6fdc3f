"""Shapes of encoders: which go together, and the sizes that follow from them."""

from typing import Any

import pytest
from pydantic import ValidationError

from bothends.model.architecture import EncoderConfig, Head


def config(**fields: Any) -> EncoderConfig:
    return EncoderConfig(**({"vocabulary_size": 9, "embedding_size": 300, "hidden_size": 8, "layers": 1} | fields))


@pytest.mark.parametrize(
    ("fields", "state", "dimension", "has_halves"),
    [
        ({}, 8, 16, True),
        ({"bidirectional": False}, 8, 8, False),
        ({"projection_size": 3}, 3, 6, True),
        ({"pooling": "max"}, 8, 16, True),
        ({"pooling": "first_and_last_output"}, 8, 32, False),
        ({"head": Head(size=5)}, 8, 5, False),
    ],
    ids=str,
)
def test_sizes_follow_from_the_shape(fields: dict[str, Any], state: int, dimension: int, has_halves: bool) -> None:
    """An embedding has halves only where nothing mixes the two directions."""
    found = config(**fields)
    assert (found.state_size, found.dimension, found.has_halves) == (state, dimension, has_halves)


def test_the_first_layer_reads_the_projection_of_a_token() -> None:
    assert config().input_size == 300
    assert config(input_projection=20).input_size == 20


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cell": "gru", "projection_size": 3}, "only an LSTM's state can be projected"),
        ({"projection_size": 8}, "must be below hidden_size, 8"),
        ({"layers": 9}, "less than or equal to 8"),
        ({"pooling": "median"}, "final_states"),
        ({"dropout": 0.1}, "Extra inputs"),
    ],
)
def test_a_shape_that_can_not_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**fields)


@pytest.mark.parametrize(
    ("fields", "sizes", "message"),
    [
        ({"head": Head(size=5)}, (4,), "without a forward and a backward half has none"),
        ({}, (4, 4), "sizes go up and stay below 16"),
        ({}, (4, 16), "sizes go up and stay below 16"),
    ],
)
def test_nested_sizes_are_parts_of_both_halves(fields: dict[str, Any], sizes: tuple[int, ...], message: str) -> None:
    """Sizes must grow within the embedding, and need its halves; no sizes are always right."""
    with pytest.raises(ValueError, match=message):
        config(**fields).check_nested_dimensions(sizes)
    config(**fields).check_nested_dimensions(())
    config().check_nested_dimensions((4, 8))
