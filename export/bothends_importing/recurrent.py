"""Finds an `nn.LSTM` or `nn.GRU` in a state dict: its sizes, and its tensors by standard names, all shapes checked."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bothends.model.architecture import GATES, Cell
from bothends.text import printable

from .source import SourceError, join_names

NAME = re.compile(r"(?:weight_(?:ih|hh|hr)|bias_(?:ih|hh))_l(\d+)(_reverse)?")
"""A tensor of a cell, after its module's name: the layer's number, and whether it reads backward."""
_BY_GATES = {gates: cell for cell, gates in GATES.items()}


@dataclass(frozen=True, slots=True)
class RecurrentLayers:
    """Weights of a stacked LSTM or GRU in PyTorch's layout."""

    cell: Cell
    input_size: int
    hidden_size: int
    projection_size: int | None
    layers: int
    bidirectional: bool
    bias: bool
    weights: dict[str, Tensor]
    """Tensors by our names: `lstm.weight_ih_l0`, …"""
    origins: dict[str, str]
    """Name in the source of each of `weights`."""

    def sizes(self) -> dict[str, Any]:
        """Return the fields of an EncoderConfig."""
        return {
            "cell": self.cell,
            "hidden_size": self.hidden_size,
            "projection_size": self.projection_size,
            "layers": self.layers,
            "bidirectional": self.bidirectional,
            "bias": self.bias,
        }


def recurrent_layers(tensors: dict[str, Tensor], prefix: str, *, file: Path) -> RecurrentLayers:
    """Return the cells whose tensors' names start with `prefix`, for example "enc_lstm.".

    Raises SourceError if a tensor is missing, doesn't fit the others' shapes, or belongs to no LSTM or GRU.
    """
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    for first in ("weight_ih_l0", "weight_hh_l0"):
        if first not in own:
            raise SourceError(f"{file} has no tensor {prefix}{first}; it holds {join_names(list(tensors))}")
        if own[first].dim() != 2:
            raise SourceError(f"{file}: {prefix}{first} has shape {list(own[first].shape)}, which is no matrix")
    found = [NAME.fullmatch(name) for name in own]
    if None in found:
        raise SourceError(f"{file}: {printable(prefix + list(own)[found.index(None)])} is no tensor of an LSTM or GRU")
    module = _module(own, prefix, file)
    _check(own, module, prefix, file)
    cell: Cell = "lstm" if isinstance(module, nn.LSTM) else "gru"
    return RecurrentLayers(
        cell,
        module.input_size,
        module.hidden_size,
        module.proj_size or None,
        module.num_layers,
        module.bidirectional,
        module.bias,
        {f"{cell}.{name}": tensor for name, tensor in own.items()},
        {f"{cell}.{name}": f"{prefix}{name}" for name in own},
    )


def _module(own: dict[str, Tensor], prefix: str, file: Path) -> nn.LSTM | nn.GRU:
    """A module without weights, of the sizes that the first tensors have."""
    rows, inputs = own["weight_ih_l0"].shape
    projection = own.get("weight_hr_l0")
    projected = {"proj_size": projection.shape[0]} if projection is not None and projection.dim() == 2 else {}
    hidden = projection.shape[1] if projection is not None and projected else own["weight_hh_l0"].shape[1]
    gates, rest = divmod(rows, hidden or 1)
    cell = _BY_GATES.get(gates)
    if rest or cell is None or (projected and cell != "lstm"):
        raise SourceError(
            f"{file}: {prefix}weight_ih_l0 has {rows} rows for a hidden size of {hidden}; an LSTM has 4 times as many, "
            "a GRU 3 times, and no other cell can be imported"
        )
    layers = 1 + max(int(found[1]) for name in own if (found := NAME.fullmatch(name)))
    bidirectional = any(name.endswith("_reverse") for name in own)
    if layers > len(own):
        raise SourceError(f"{file}: {prefix}* numbers {layers} layers, and only {len(own)} tensors are there")
    options = {"bias": "bias_ih_l0" in own, "bidirectional": bidirectional, **projected}
    with torch.device("meta"):  # shapes only: sizes that are wrong cost nothing
        return (
            nn.LSTM(inputs, hidden, layers, **options) if cell == "lstm" else nn.GRU(inputs, hidden, layers, **options)
        )


def _check(own: dict[str, Tensor], module: nn.LSTM | nn.GRU, prefix: str, file: Path) -> None:
    expected = module.state_dict()
    what = f"a {module.num_layers}-layer {'bidirectional' if module.bidirectional else 'one-way'} {module.mode}"
    for name, tensor in expected.items():
        if name not in own:
            raise SourceError(f"{file} has no tensor {prefix}{name}, which {what} has")
        if own[name].shape != tensor.shape:
            raise SourceError(
                f"{file}: {prefix}{name} has shape {list(own[name].shape)}; {what} of {module.input_size} inputs and "
                f"hidden size {module.hidden_size} has {list(tensor.shape)}"
            )
    if extra := sorted(own.keys() - expected.keys()):
        raise SourceError(f"{file}: {prefix}{extra[0]} is one tensor more than {what} has")
