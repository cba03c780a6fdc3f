"""Converts a layer's tensors from PyTorch's layout to ONNX's, and back: order of gates, stacked directions.

ONNX has no operator for a projected LSTM (PyTorch's proj_size). Its cell reads the state only through weight_hh, so
with h = weight_hr · u, where u is the state before the projection, weight_hh · h = (weight_hh · weight_hr) · u: a plain
LSTM over u, whose states are projected afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bothends.model.architecture import Cell, EncoderConfig, layer_name
from bothends.model.graph import TABLE

Array = NDArray[np.floating[Any]]
Weights = Mapping[str, Array]
"""An encoder's state dict as arrays: `embedding.weight`, `lstm.weight_ih_l0`, `lstm.weight_ih_l0_reverse`, …"""

TORCH_TO_ONNX: dict[Cell, tuple[int, ...]] = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
"""PyTorch stacks an LSTM's gates i, f, g, o; ONNX wants i, o, f, c (its c is PyTorch's g). A GRU's r, z, n; z, r, h."""
ONNX_TO_TORCH: dict[Cell, tuple[int, ...]] = {"lstm": (0, 2, 3, 1), "gru": (1, 0, 2)}
SCORES = "attention.scores.weight"
"""Name of the weights of attention's scores, which have no biases."""


def reorder(array: Array, order: Sequence[int], hidden_size: int) -> Array:
    """Return `array` [gates·hidden, …] with its gates' blocks of `hidden_size` rows in another order: block i is the
    old block `order[i]`.
    """
    return np.concatenate([array[gate * hidden_size : (gate + 1) * hidden_size] for gate in order])


def named_as_in_graph(weights: Weights, config: EncoderConfig) -> dict[str, Array]:
    """Return all weights by their names in the graph."""
    found = {TABLE: weights[TABLE]}
    if config.attention:
        found[f"{SCORES}.T"] = np.ascontiguousarray(weights[SCORES].T)
    for name in linear_names(config):
        found[f"{name}.weight.T"] = np.ascontiguousarray(weights[f"{name}.weight"].T)
        found[f"{name}.bias"] = weights[f"{name}.bias"]
    found |= {name: weights[name] for name in norm_names(config)}
    for layer in range(config.layers):
        found |= {f"{name}{layer}": array for name, array in to_onnx(weights, config, layer).items()}
    return found


def linear_names(config: EncoderConfig) -> list[str]:
    """Return the names of the encoder's linear layers that have biases."""
    parts = {
        "input_projection": config.input_projection,
        "attention.hidden": config.attention,
        "head.linear": config.head,
    }
    return [name for name, there in parts.items() if there]


def norm_names(config: EncoderConfig) -> list[str]:
    """Return the names of the weights of the head's layer norm; an empty list if it has none."""
    return ["head.norm.weight", "head.norm.bias"] if config.head and config.head.then == "layer_norm" else []


def cell_tensors(directions: Sequence[Weights], cell: Cell, hidden_size: int) -> dict[str, Array]:
    """Return W, R and, if there are biases, B of a layer, as ONNX's LSTM and GRU take them.

    Each direction has `weight_ih`, `weight_hh` and perhaps `bias_ih` and `bias_hh`, with gates in PyTorch's order.
    """

    def stacked(kind: str) -> Array:
        return np.stack([reorder(direction[kind], TORCH_TO_ONNX[cell], hidden_size) for direction in directions])

    found = {"W": stacked("weight_ih"), "R": stacked("weight_hh")}
    if "bias_ih" in directions[0]:
        found["B"] = np.concatenate([stacked("bias_ih"), stacked("bias_hh")], axis=1)
    return found


def to_onnx(weights: Weights, config: EncoderConfig, layer: int) -> dict[str, Array]:
    """Return a layer's tensors, float32: W [directions, gates·hidden, input], R [directions, gates·hidden, hidden].

    With biases, also B [directions, 2·gates·hidden]; with a projection, P [directions·hidden, directions·state], block
    by block; with learned states, h_0 and for an LSTM c_0, [directions, 1, hidden].
    """
    kinds = ["weight_ih", "weight_hh", *["bias_ih", "bias_hh"] * config.bias]
    directions = [{kind: weights[name.format(kind)] for kind in kinds} for name in _names(config, layer)]
    projections = []
    if config.projection_size:
        projections = [weights[name.format("weight_hr")] for name in _names(config, layer)]
        for direction, projection in zip(directions, projections, strict=True):
            direction["weight_hh"] = _product(direction["weight_hh"], projection)
    found = cell_tensors(directions, config.cell, config.widths[layer])
    if projections:
        found["P"] = _blocks(projections)
    if config.learned_initial_states:
        own = _own(config, layer)
        h_0 = weights["h_0"][own]
        if config.projection_size:  # some u that is projected to h_0: there is one, for a state is narrower than u
            h_0 = np.stack([_product(np.linalg.pinv(_wide(hr)), h) for hr, h in zip(projections, h_0, strict=True)])
        found["h_0"] = h_0[:, None]
        if config.cell == "lstm":
            found["c_0"] = weights["c_0"][own][:, None]
    return found


def to_torch(found: Weights, config: EncoderConfig, layer: int) -> dict[str, Array]:
    """Invert `to_onnx`, without the initial states: returns a layer's tensors by PyTorch's names."""
    order = ONNX_TO_TORCH[config.cell]
    weights: dict[str, Array] = {}
    for index, name in enumerate(_names(config, layer)):
        lifted = {"weight_ih": found["W"][index], "weight_hh": found["R"][index]}
        if config.bias:
            lifted["bias_ih"], lifted["bias_hh"] = np.split(found["B"][index], 2)
        lifted = {kind: reorder(array, order, config.widths[layer]) for kind, array in lifted.items()}
        if config.projection_size:
            lifted["weight_hr"] = _block(found["P"], config, index)
            lifted["weight_hh"] = _product(lifted["weight_hh"], np.linalg.pinv(_wide(lifted["weight_hr"])))
        weights |= {name.format(kind): array for kind, array in lifted.items()}
    return weights


def initial_to_torch(layers: Sequence[Weights], config: EncoderConfig) -> dict[str, Array]:
    """Invert `to_onnx` for learned initial states: returns `h_0` and, for an LSTM, `c_0` of all layers."""
    h_0 = [found["h_0"][:, 0] for found in layers]
    if config.projection_size:
        h_0 = [
            np.stack([_product(_block(found["P"], config, index), u) for index, u in enumerate(states)])
            for found, states in zip(layers, h_0, strict=True)
        ]
    initial = {"h_0": np.concatenate(h_0)}
    if config.cell == "lstm":
        initial["c_0"] = np.concatenate([found["c_0"][:, 0] for found in layers])
    return initial


def _names(config: EncoderConfig, layer: int) -> list[str]:
    """Names of each direction's tensors in a state dict, with {} in the place of their kind: `lstm.{}_l0_reverse`."""
    name = layer_name(config.cell, layer, is_uneven=config.is_uneven)
    return [f"{name}{end}" for end in ("", "_reverse")[: config.directions]]


def _own(config: EncoderConfig, layer: int) -> slice:
    return slice(layer * config.directions, (layer + 1) * config.directions)


def _wide(array: Array) -> Array:
    return array.astype(np.float64)


def _product(left: Array, right: Array) -> Array:
    return (_wide(left) @ _wide(right)).astype(np.float32)


def _blocks(projections: Sequence[Array]) -> Array:
    """[directions·hidden, directions·state]: each direction's own, transposed, along the diagonal."""
    state, hidden = projections[0].shape
    found = np.zeros((len(projections) * hidden, len(projections) * state), dtype=np.float32)
    for index, projection in enumerate(projections):
        found[index * hidden :][:hidden, index * state :][:, :state] = projection.T
    return found


def _block(blocks: Array, config: EncoderConfig, index: int) -> Array:
    hidden, state = config.hidden_size, config.state_size
    return blocks[index * hidden :][:hidden, index * state :][:, :state].T
