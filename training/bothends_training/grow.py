"""Gives a larger student the weights of a smaller encoder, so that it begins with what that one knows.

What is new is silent at first: numbers of token vectors and units that give nothing but zeros, which all others hear
with the student's own first weights, so that the first gradients reach them. The idea is that of Chen, Goodfellow and
Shlens, "Net2Net" (ICLR 2016).
"""

import torch
from torch import Tensor

from bothends_export.encoder import Encoder

SIZES = ("embedding_size", "hidden_size", "layers")
"""Sizes in which a student may be larger than what it begins with."""
_INPUT, _FORGET, _CANDIDATE, _OUTPUT = range(4)  # gates, in the order in which PyTorch stacks them
_DIRECTIONS = ("", "_reverse")
_PASSED = 0.5
"""What a layer on top reads of a state below it: little enough that two hyperbolic tangents hardly bend it."""
_OPEN, _SHUT = 2.0, -5.0
"""Biases of a layer on top: gates that stand open at 0.88, or at 0.007, and can still learn to move."""


def grow(encoder: Encoder, student: Encoder) -> dict[str, Tensor]:
    """The weights of `student` with which it gives the encoder's embeddings, with zeros where it has more units.

    Both are bidirectional LSTMs, and `student` is no smaller in any of SIZES. Layers that it has on top pass on what is
    below them: embeddings then have nearly the same directions (cosines of 0.998 and more), and another length.
    """
    before, after = encoder.config, student.config
    known = encoder.state_dict()
    weights = {name: tensor.detach().clone() for name, tensor in student.state_dict().items()}
    table = torch.zeros_like(weights["embedding.weight"])
    table[:, : before.embedding_size] = known["embedding.weight"]
    weights["embedding.weight"] = table
    units = torch.arange(before.hidden_size)
    for layer in range(after.layers):
        inputs = torch.cat([units, after.hidden_size + units]) if layer else torch.arange(before.embedding_size)
        for number, direction in enumerate(_DIRECTIONS):
            end = f"_l{layer}{direction}"
            cell = {name: tensor for name, tensor in weights.items() if name.endswith(end)}
            if layer < before.layers:
                _widen(cell, known, inputs, before.hidden_size)
            else:
                _pass_on(cell, number)
    if before.attention:  # whose sizes are the same; of new units, which give zeros, it reads nothing
        both = torch.cat([units, after.hidden_size + units])
        weights["attention.hidden.weight"][:, both] = known["attention.hidden.weight"]
        for name in ("attention.hidden.bias", "attention.scores.weight"):
            weights[name] = known[name].clone()
    return weights


def _widen(cell: dict[str, Tensor], known: dict[str, Tensor], inputs: Tensor, units: int) -> None:
    """Give the first `units` of one direction of a layer the known weights, and have the others give zeros.

    `inputs` are the columns of what the known units read.
    """
    for name, tensor in cell.items():
        gates = _by_gate(tensor)
        gates[_CANDIDATE, units:] = 0
        columns = inputs if ".weight_ih" in name else slice(units)
        gates[(slice(None), slice(units), columns)[: gates.dim()]] = _by_gate(known[name])


def _pass_on(cell: dict[str, Tensor], direction: int) -> None:
    """Have one direction of a layer on top give at each token what the same direction below it gives there."""
    for name, tensor in cell.items():
        gates = _by_gate(tensor.zero_())
        units = torch.arange(gates.shape[1])
        if ".weight_ih" in name:
            gates[_CANDIDATE, units, direction * len(units) + units] = _PASSED
        elif ".bias_ih" in name:
            gates[_INPUT] = gates[_OUTPUT] = _OPEN
            gates[_FORGET] = _SHUT


def _by_gate(tensor: Tensor) -> Tensor:
    """A view of weights that stand for all units, one gate after the other: [4, units, …]."""
    return tensor.view(4, -1, *tensor.shape[1:])
