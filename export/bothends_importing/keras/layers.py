"""Lists the layers that a sentence passes in a Keras model, from its config, however the model was built."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bothends.text import printable

from ..source import SourceError

WAY_OUT = "save the part that embeds: keras.Model(model.inputs, model.get_layer(…).output).save(…)"
_NO_EFFECT = (
    "InputLayer",
    "Dropout",
    "SpatialDropout1D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
)
"""Layers that do nothing once a model is trained."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Layer of a Keras model."""

    kind: str
    """Class of the layer: "Dense"."""
    name: str
    """Name of the layer itself: "dense_7". Older files keep its weights under that."""
    config: dict[str, Any]
    count: int
    """Number of layers of its class that come before it in the model. Newer files number its weights so."""

    @property
    def shown(self) -> str:
        """Class and name for messages, such as Dense "dense_7"."""
        return f'{printable(self.kind)} "{printable(self.name)}"'


def chain(model: Any, file: Path) -> list[Layer]:
    """Return the layers from input to output, without those that have no effect.

    Raises SourceError if it isn't a chain.
    """
    try:
        kind = model["class_name"]
        if kind not in ("Sequential", "Functional", "Model"):
            raise SourceError(
                f"{file} holds a {printable(kind)}; a Sequential or Functional model can be read, so {WAY_OUT}"
            )
        layers = model["config"]["layers"]
        named = dict(_named(layers))
        if kind == "Sequential":
            ordered = list(named.values())
        else:
            nodes = {layer["config"]["name"]: layer["inbound_nodes"] for layer in layers}
            masks = {name for name, layer in named.items() if layer.kind == "NotEqual" and _is_mask(nodes[name], named)}
            ordered = [named[name] for name in _path(nodes, model["config"]["output_layers"], masks, file=file)]
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise SourceError(f"{file}: its config is none of a Keras model's: {printable(repr(error))}") from error
    return [layer for layer in ordered if layer.kind not in _NO_EFFECT]


def _named(layers: list[dict[str, Any]]) -> Iterator[tuple[str, Layer]]:
    counts: dict[str, int] = {}
    for layer in layers:
        kind, config = layer["class_name"], layer["config"]
        yield config["name"], Layer(kind, config["name"], config, counts.setdefault(kind, 0))
        counts[kind] += 1


def _is_mask(nodes: list[Any], named: dict[str, Layer]) -> bool:
    """Return whether it is the mask of an Embedding with mask_zero: ids other than 0."""
    inputs = _tensors(nodes[0]["args"][:1])
    return nodes[0]["args"][1:] == [0] and [named[name].kind for name in inputs] == ["InputLayer"]


def _path(nodes: dict[str, Any], outputs: Any, masks: set[str], *, file: Path) -> list[str]:
    """Return the names of the layers from the input to the only output. A layer may also get `masks`."""
    ends = _tensors(outputs)
    path: list[str] = []
    while ends:
        if len(ends) != 1 or ends[0] in path:
            raise SourceError(
                f"{file}: {printable(path[0]) if path else 'the output'} is made of {len(ends)} tensors; what can be "
                f"read is a chain of layers, so {WAY_OUT}"
            )
        path.insert(0, ends[0])
        inbound = nodes[ends[0]]
        if len(inbound) > 1:
            raise SourceError(
                f"{file}: {printable(ends[0])} is used {len(inbound)} times; once can be read, so {WAY_OUT}"
            )
        ends = [name for name in _tensors(inbound) if name not in masks]
    return path


def _tensors(described: Any) -> list[str]:
    """The layers whose outputs are named: as [name, node, index] in lists, or under "keras_history"."""
    if isinstance(described, dict):
        return [name for value in described.values() for name in _tensors(value)]
    if not isinstance(described, list):
        return []
    if len(described) >= 3 and isinstance(described[0], str) and isinstance(described[1], int):
        return [described[0]]
    return [name for value in described for name in _tensors(value)]
