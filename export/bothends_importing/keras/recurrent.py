"""Converts the weights of Keras's LSTM, GRU and Bidirectional layers to those of PyTorch's cells.

Keras keeps a kernel as [inputs, gates·units]. The gates of an LSTM are ordered i, f, c, o, which is PyTorch's i, f, g,
o; those of a GRU are ordered z, r, h, where PyTorch has r, z, n (keras/src/layers/rnn/lstm.py and gru.py).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from bothends.text import printable

from ..readers.hdf5 import LAYERS
from ..source import SourceError, WeightsFile, join_names
from .layers import Layer

_GROUPS = {
    "Embedding": "embedding",
    "Bidirectional": "bidirectional",
    "LSTM": "lstm",
    "GRU": "gru",
    "Dense": "dense",
    "LayerNormalization": "layer_normalization",
}
"""Names that newer files give to the weights of a class of layers; the second one's end in _1."""

_CELLS: dict[str, Literal["lstm", "gru"]] = {"LSTM": "lstm", "GRU": "gru"}
_NUMBERED = ("layers/", "_layer_checkpoint_dependencies/")
_AS_PYTORCH = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "stateful": False,
    "return_state": False,
    "time_major": False,
}
"""Settings that a layer must have if it has them at all."""

Named = list[tuple[str, Tensor]]


class Stored:
    """Tensors of a file, by layer."""

    def __init__(self, source: WeightsFile) -> None:
        self._source = source
        names = source.extras[LAYERS]
        self._layers: dict[str, list[str]] = names
        self._used: set[str] = set()
        self._numbered = any(name.startswith(_NUMBERED) for name in source.tensors)

    def of(self, layer: Layer, shapes: list[tuple[int, ...]]) -> Named:
        """Return a layer's tensors with their names, in Keras's order.

        Raises SourceError unless they have these shapes.
        """
        key = _GROUPS[layer.kind] + (f"_{layer.count}" if layer.count else "") if self._numbered else layer.name
        names = [name for name in self._layers.get(key, []) if name in self._source.tensors]
        found = [tuple(self._source.tensors[name].shape) for name in names]
        if found != shapes:
            what = join_names([f"{name} {list(shape)}" for name, shape in zip(names, found, strict=True)]) or "nothing"
            raise SourceError(
                f"{self._source.file}: {layer.shown} needs weights of {', '.join(str(list(s)) for s in shapes)}; under "
                f"{printable(key)} the file holds {what}"
            )
        self._used |= set(names)
        return [(name, self._source.tensors[name]) for name in names]

    def check_all_used(self) -> None:
        """Raise SourceError for tensors that belong to no layer that was read."""
        if left := [name for name in self._source.tensors if name not in self._used]:
            raise SourceError(f"{self._source.file}: no layer of the model's config has the weights {join_names(left)}")


@dataclass(frozen=True, slots=True)
class KerasRecurrentLayer:
    """Recurrent layer of a Keras model, with one direction or two."""

    kind: Literal["lstm", "gru"]
    units: int
    bias: bool
    directions: int
    returns_sequences: bool
    reset_after: bool = True

    def like(self, other: "KerasRecurrentLayer") -> bool:
        """Return True if both can be layers of one stack, perhaps of unequal width."""
        mine, theirs = ((cells.kind, cells.bias, cells.directions, cells.reset_after) for cells in (self, other))
        return mine == theirs

    def shapes(self, inputs: int) -> list[tuple[int, ...]]:
        """Return the shapes of Keras's weights, the forward cell's before the backward cell's."""
        rows = self.units * (4 if self.kind == "lstm" else 3)
        bias = [(2, rows) if self._has_two_biases else (rows,)] if self.bias else []
        return [(inputs, rows), (self.units, rows), *bias] * self.directions

    @property
    def _has_two_biases(self) -> bool:
        return self.kind == "gru" and self.reset_after

    def to_torch(self, named: Named, name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Return PyTorch's weights for `named`, and the file's name of each. `name` is that of a weight, with {} for
        its kind: "lstm.{}_l0".
        """
        weights: dict[str, Tensor] = {}
        origins: dict[str, str] = {}
        each = len(named) // self.directions
        for direction, end in zip(range(self.directions), ("", "_reverse"), strict=False):
            (kernel_name, kernel), (hidden_name, hidden), *bias = named[direction * each : (direction + 1) * each]
            parts = [("weight_ih", kernel_name, kernel.T), ("weight_hh", hidden_name, hidden.T)]
            if bias:
                theirs, both = bias[0]
                pair = (both[0], both[1]) if self._has_two_biases else (both, torch.zeros_like(both))
                parts += [("bias_ih", theirs, pair[0]), ("bias_hh", theirs, pair[1])]
            for part, theirs, tensor in parts:
                ours = f"{name.format(part)}{end}"
                weights[ours], origins[ours] = self._in_order(tensor), theirs
        return weights, origins

    def _in_order(self, gates: Tensor) -> Tensor:
        """Rows by gate, as PyTorch has them."""
        if self.kind == "lstm":
            return gates.contiguous().clone()
        update, reset, new = gates.chunk(3)
        return torch.cat((reset, update, new))


def is_recurrent(layer: Layer) -> bool:
    """Return True if `recurrent_layer` supports this layer."""
    return layer.kind in (*_CELLS, "Bidirectional")


def recurrent_layer(layer: Layer, file: Path) -> KerasRecurrentLayer:
    """Return the recurrent layer that a config describes. Raises SourceError for what PyTorch's cells can't do."""
    if layer.kind != "Bidirectional":
        return _one_way(layer, layer.kind, layer.config, backward=False, file=file)
    if layer.config["merge_mode"] != "concat":
        raise _refused(layer, "merge_mode", layer.config["merge_mode"], "concat", file)
    inner = layer.config["layer"]
    forward = _one_way(layer, inner["class_name"], inner["config"], backward=False, file=file)
    other = layer.config.get("backward_layer")
    if other and _one_way(layer, other["class_name"], other["config"], backward=True, file=file) != forward:
        raise SourceError(f"{file}: {layer.shown} has a backward layer unlike its forward one, which can't be mapped")
    return replace(forward, directions=2)


def _one_way(layer: Layer, kind: str, config: dict[str, Any], *, backward: bool, file: Path) -> KerasRecurrentLayer:
    if kind not in _CELLS:
        raise SourceError(f"{file}: {layer.shown} is of {printable(kind)}, where LSTM or GRU can be mapped")
    for key, value in (_AS_PYTORCH | {"go_backwards": backward}).items():
        if config.get(key, value) != value:
            raise _refused(layer, key, config[key], value, file)
    reset_after = kind != "GRU" or bool(config.get("reset_after", False))
    return KerasRecurrentLayer(
        _CELLS[kind], config["units"], config["use_bias"], 1, config["return_sequences"], reset_after
    )


def _refused(layer: Layer, key: str, found: object, needed: object, file: Path) -> SourceError:
    return SourceError(
        f"{file}: {layer.shown} has {key} = {printable(found)}, which can't be mapped to an nn.LSTM or nn.GRU; "
        f"{key} = {needed} can"
    )


def sizes(cells: list[KerasRecurrentLayer]) -> dict[str, Any]:
    """Return the fields of an EncoderConfig that follow from `cells`, the stacked layers from the bottom up."""
    first, units = cells[0], tuple(layer.units for layer in cells)
    return {
        "cell": first.kind,
        "hidden_size": units[-1],
        "hidden_sizes": units if len(set(units)) > 1 else None,
        "layers": len(cells),
        "bidirectional": first.directions == 2,
        "bias": first.bias,
        "reset_after": first.reset_after,
    }
