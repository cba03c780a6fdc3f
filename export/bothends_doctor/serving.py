"""Tells what an examined encoder is as one that bothends serves, and whether its fastest engine would serve it."""

from bothends.engines import native
from bothends.engines.encoder_speeds import EncoderSpeeds
from bothends.model.architecture import EncoderConfig
from bothends.model.pooling import Pooling

from .findings import Fact
from .mistakes.recurrence import Stack

POOLINGS: dict[str, Pooling] = {
    "final_states": "final_states",
    "max": "max",
    "mean": "mean",
    "first_and_last": "first_and_last_output",
}
"""Poolings by the keys of right readings. What isn't here can't be served."""


def architecture(stack: Stack, pooling: Pooling, *, rows: int) -> EncoderConfig:
    """Return the architecture of an encoder with these cells and a table of so many rows, but for a head."""
    return EncoderConfig(
        cell=stack.cell,
        pooling=pooling,
        vocabulary_size=rows,
        embedding_size=stack.input_size,
        hidden_size=stack.hidden_size,
        hidden_sizes=stack.hidden_sizes if len(set(stack.hidden_sizes)) > 1 else None,
        reset_after=stack.linear_before_reset,
        projection_size=None if stack.layers[0][0].weight_hr is None else stack.state_size,
        layers=len(stack.layers),
        bidirectional=stack.directions == 2,
        learned_initial_states=any(
            state is not None for layer in stack.layers for one in layer for state in (one.h_0, one.c_0)
        ),
    )


def slowness(stack: Stack, meant: str, *, rows: int | None) -> list[Fact]:
    """Say that onnxruntime would serve it, why, and what that costs; nothing where the native engine would, or where it
    can't be served. `meant` is the key of the right reading, `rows` the size of the table.
    """
    if meant not in POOLINGS or rows is None:
        return []
    config = architecture(stack, POOLINGS[meant], rows=rows)
    if (lacks := native.lacks(config)) is None:
        return []
    cost = EncoderSpeeds.of_record().computed(config)
    return [Fact("speed", "fact", f"onnxruntime would serve it, as the native engine doesn't compute {lacks}: {cost}")]
