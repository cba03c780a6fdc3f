"""The weights that a graph was built from come back out of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bothends_export import graph
from bothends_export.checkpoint import Checkpoint
from bothends_export.export import arrays
from tests.support.shapes import SHAPES

MakeCheckpoint = Callable[..., tuple[Path, Checkpoint]]


def built(checkpoint: Checkpoint) -> onnx.ModelProto:
    return graph.build(arrays(checkpoint), checkpoint.config.encoder)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_weights_come_back_from_the_graph(make_checkpoint: MakeCheckpoint, shape: dict[str, Any]) -> None:
    """`weights_of` gives each number that `build` was given; a projected LSTM's R, to float32's precision."""
    _, checkpoint = make_checkpoint(**shape)
    lifted = graph.weights_of(built(checkpoint), checkpoint.config.encoder)
    weights = checkpoint.encoder.state_dict()
    assert lifted.keys() == weights.keys()
    for name, tensor in weights.items():
        bound = 1e-6 if "projection_size" in shape and ("weight_hh" in name or name == "h_0") else 0
        assert np.abs(lifted[name].astype(np.float32) - tensor.numpy()).max() <= bound, name


def test_a_foreign_graph_gives_no_weights(make_checkpoint: MakeCheckpoint) -> None:
    """A graph without our initializers is refused, naming the first that is missing."""
    _, checkpoint = make_checkpoint()
    model = built(checkpoint)
    model.graph.initializer[1].name = "renamed"
    with pytest.raises(ValueError, match="W0"):
        graph.weights_of(model, checkpoint.config.encoder)
