"""The form of an encoder's graph, as data: what every exported model is written by, and held to."""

from typing import Any

import pytest

from bothends.model.architecture import EncoderConfig
from bothends.model.graph import INPUTS, OUTPUTS, TABLE, encoder_graph, layer_tensors
from bothends.model.nodes import Graph
from tests.support.shapes import SHAPES

_OTHER_WEIGHTS = ("h_0", "c_0", "head.", "input_projection.", "attention.")


def graph(**shape: Any) -> Graph:
    sizes = {"vocabulary_size": 20, "embedding_size": 12, "hidden_size": 16, "layers": 1}
    return encoder_graph(EncoderConfig(**{**sizes, **shape}))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_each_name_is_given_before_it_is_read(shape: dict[str, Any]) -> None:
    """A node reads inputs, constants, weights or the outputs of nodes before it, and each name is given once."""
    made, given = graph(**shape), list(INPUTS)
    weights = {f"{name}{layer}" for name in "WRBP" for layer in range(8)} | {TABLE}
    for node in made.nodes:
        for name in filter(None, node.inputs):
            assert name in (*given, *made.constants, *weights) or name.startswith(_OTHER_WEIGHTS)
        given += filter(None, node.outputs)
    assert len(set(given)) == len(given)
    assert set(OUTPUTS) <= set(given)


def test_a_layers_tensors_are_those_that_its_nodes_read() -> None:
    """Biases, projections and learned states have a name where the encoder has them."""
    config = EncoderConfig(vocabulary_size=20, embedding_size=12, hidden_size=16, layers=1)
    everything = config.model_copy(update={"projection_size": 10, "learned_initial_states": True})
    assert layer_tensors(config) == ["W", "R", "B"]
    assert layer_tensors(everything) == ["W", "R", "B", "P", "h_0", "c_0"]
    assert layer_tensors(config.model_copy(update={"cell": "gru", "bias": False})) == ["W", "R"]
