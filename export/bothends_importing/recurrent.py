"""Finds an `nn.LSTM` or `nn.GRU` in a state dict: its sizes, and its tensors by standard names, all shapes checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bothends.model.architecture import GATES, Cell, layer_name
from bothends.text import printable

from .source import SourceError, join_names

NAME = re.compile(r"(weight_(?:ih|hh|hr)|bias_(?:ih|hh))_l(\d+)(_reverse)?")
"""A tensor of a cell, after its module's name: its kind, the layer's number, and whether it reads backward."""
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
    """Tensors by our names: `lstm.weight_ih_l0`, …; of layers of unequal width `lstm.0.weight_ih_l0`, …"""
    origins: dict[str, str]
    """Name in the source of each of `weights`."""
    hidden_sizes: tuple[int, ...] | None = None
    """Hidden size of each layer, where they differ; `hidden_size` is the top one's."""

    @property
    def output_size(self) -> int:
        """Size of a step's output: of all directions' states in the top layer."""
        return (1 + self.bidirectional) * (self.projection_size or self.hidden_size)

    def sizes(self) -> dict[str, Any]:
        """Return the fields of an EncoderConfig."""
        return {
            "cell": self.cell,
            "hidden_size": self.hidden_size,
            "hidden_sizes": self.hidden_sizes,
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


def stacked(modules: Sequence[RecurrentLayers], prefixes: Sequence[str], *, file: Path) -> RecurrentLayers:
    """Return the layers of several modules as one stack, in which each reads the one before it.

    Raises SourceError if one doesn't fit on the other.
    """
    first, top = modules[0], modules[-1]
    for below, module, prefix in zip(modules, modules[1:], prefixes[1:], strict=False):
        if module.input_size != below.output_size:
            raise SourceError(
                f"{file}: {prefix}* reads {module.input_size} numbers, and the cells before it give {below.output_size}"
            )
        if _kind(module) != _kind(first):
            raise SourceError(f"{file}: {prefix}* are {_kind(module)}, and the cells before it {_kind(first)}")
    widths = tuple(module.hidden_size for module in modules for _ in range(module.layers))
    is_uneven = len(set(widths)) > 1
    weights: dict[str, Tensor] = {}
    origins: dict[str, str] = {}
    start = 0
    for module in modules:
        for name, tensor in module.weights.items():
            ours = _renumbered(name, module.cell, start, is_uneven=is_uneven)
            weights[ours], origins[ours] = tensor, module.origins[name]
        start += module.layers
    return replace(
        top,
        input_size=first.input_size,
        layers=len(widths),
        weights=weights,
        origins=origins,
        hidden_sizes=widths if is_uneven else None,
    )


def _kind(layers: RecurrentLayers) -> str:
    """Describe what all modules of a stack have in common."""
    direction = "bidirectional" if layers.bidirectional else "one-way"
    projected = f" projected to {layers.projection_size}" if layers.projection_size else ""
    return f"{direction} {layers.cell.upper()}s {'with' if layers.bias else 'without'} biases{projected}"


def _renumbered(name: str, cell: Cell, start: int, *, is_uneven: bool) -> str:
    """Return the name of a module's tensor in a stack in which the module's first layer has the number `start`."""
    found = NAME.fullmatch(name.partition(".")[2])
    assert found  # noqa: S101  recurrent_layers has seen to it
    kind, number, reverse = found.groups("")
    return layer_name(cell, start + int(number), is_uneven=is_uneven).format(kind) + reverse


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
    layers = 1 + max(int(found[2]) for name in own if (found := NAME.fullmatch(name)))
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
