"""Imports a Keras model of Embedding, LSTM or GRU (bidirectional or not), pooling and Dense.

What PyTorch's modules can't compute is refused, by the layer's name.
"""

import json
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor

from bothends.model.architecture import EncoderConfig, Head, layer_name
from bothends.model.pooling import Pooling
from bothends.text import printable
from bothends.validation import one_line

from ..pytorch.statedict import MappedEncoder
from ..readers.hdf5 import CONFIG
from ..source import SourceError, WeightsFile
from .layers import WAY_OUT, Layer, chain
from .recurrent import KerasRecurrentLayer, Named, Stored, is_recurrent, recurrent_layer, sizes

_POOLING: dict[str, Pooling] = {"GlobalMaxPooling1D": "max", "GlobalAveragePooling1D": "mean"}
_THEN: dict[str, Literal["none", "tanh", "relu"]] = {"linear": "none", "tanh": "tanh", "relu": "relu"}


def map_model(source: WeightsFile, *, config: Path | None = None, head: bool = True) -> MappedEncoder:
    """Map an opened Keras file. `config` is a model's JSON (`model.to_json()`), needed for a file of weights only.

    Without `head`, what follows the pooling is left out. Raises SourceError that names a layer that can't be mapped, or
    a tensor that is missing, has a wrong shape, or belongs to no layer.
    """
    layers = chain(_config(source, config), source.file)
    model = _Model(source)
    try:
        return model.mapped(layers, head=head)
    except ValidationError as error:
        raise SourceError(f"{source.file} holds an encoder that can't be served: {one_line(error)}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{source.file}: a layer's config is none of Keras's: {printable(repr(error))}") from error


def _config(source: WeightsFile, file: Path | None) -> Any:
    if file is not None:
        try:
            return json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise SourceError(f"{file} can't be read as a model's JSON: {printable(error)}") from error
    if CONFIG not in source.extras:
        raise SourceError(
            f"{source.file} holds a Keras model's weights and not its layers; save the whole model (model.save with a "
            "name that ends in .keras), or give its model.to_json() beside the weights: --encoder model.json, or "
            'layers = "model.json" in the TOML of --encoder'
        )
    return source.extras[CONFIG]


class _Model:
    """Turns layer after layer into weights; each step gives the layers that are left."""

    def __init__(self, source: WeightsFile) -> None:
        self.file = source.file
        self.notes = [*source.notes]
        self.masked_rows: frozenset[int] = frozenset()
        self.stored = Stored(source)
        self.weights: dict[str, Tensor] = {}
        self.origins: dict[str, str] = {}

    def mapped(self, layers: list[Layer], *, head: bool) -> MappedEncoder:
        if layers and layers[0].kind == "TextVectorization":
            self.notes.append(
                "The model's TextVectorization isn't read; the tokenizer must give the rows that it gave."
            )
            layers = layers[1:]
        layers, table = self.table(layers)
        layers, projection = self.projection(layers, table)
        layers, cells = self.cells(layers, projection or table["embedding_size"])
        layers, pooling = self.pooling(layers, returns_sequences=cells[-1].returns_sequences)
        encoder = EncoderConfig(**table, **sizes(cells), input_projection=projection, pooling=pooling)
        if head:
            encoder = encoder.model_copy(update={"head": self.head(layers, encoder.pooled_size)})
            self.stored.check_all_used()
        elif layers:
            self.notes.append(f"Left out after pooling: {', '.join(layer.shown for layer in layers)}.")
        return MappedEncoder(encoder, self.weights, self.origins, self.notes, self.masked_rows)

    def refused(self, layer: Layer, problem: str) -> SourceError:
        return SourceError(f"{self.file}: {layer.shown} {problem}")

    def table(self, layers: list[Layer]) -> tuple[list[Layer], dict[str, int]]:
        if not layers or layers[0].kind != "Embedding":
            begins = layers[0].shown if layers else "no layer"
            raise SourceError(f"{self.file} begins with {begins}, and an encoder begins with an Embedding")
        config = layers[0].config
        shape = (config["input_dim"], config["output_dim"])
        self._put(layers[0], {"embedding.weight": shape})
        self.masked_rows = frozenset({0}) if config.get("mask_zero") else frozenset()
        self.notes.append(
            "Row 0 of the table is padding in Keras (mask_zero), and no token's."
            if self.masked_rows
            else "The model has no mask, so Keras read padding as if it were tokens; here padding never counts."
        )
        return layers[1:], {"vocabulary_size": shape[0], "embedding_size": shape[1]}

    def projection(self, layers: list[Layer], table: dict[str, int]) -> tuple[list[Layer], int | None]:
        if not layers or layers[0].kind != "Dense":
            return layers, None
        if layers[0].config["activation"] != "linear":
            raise self.refused(layers[0], "stands before the cells with an activation, which can't be mapped")
        self._dense(layers[0], "input_projection", table["embedding_size"])
        return layers[1:], layers[0].config["units"]

    def cells(self, layers: list[Layer], inputs: int) -> tuple[list[Layer], list[KerasRecurrentLayer]]:
        found: list[KerasRecurrentLayer] = []
        tensors: list[Named] = []
        while len(found) < len(layers) and is_recurrent(layers[len(found)]):
            layer = layers[len(found)]
            cells = recurrent_layer(layer, self.file)
            if found and not (cells.like(found[-1]) and found[-1].returns_sequences):
                raise self.refused(
                    layer,
                    "is stacked on another kind of cells, or on a last state only (return_sequences=False)",
                )
            tensors.append(self.stored.of(layer, cells.shapes(inputs)))
            inputs = cells.directions * cells.units
            found.append(cells)
        if not found:
            after = layers[0].shown if layers else "nothing"
            raise SourceError(f"{self.file} has {after} where an encoder has an LSTM, a GRU, or a Bidirectional of one")
        is_uneven = not found[0].reset_after or len({cells.units for cells in found}) > 1
        for number, (cells, named) in enumerate(zip(found, tensors, strict=True)):
            weights, origins = cells.to_torch(named, layer_name(cells.kind, number, is_uneven=is_uneven))
            self.weights |= weights
            self.origins |= origins
        return layers[len(found) :], found

    def pooling(self, layers: list[Layer], *, returns_sequences: bool) -> tuple[list[Layer], Pooling]:
        if not returns_sequences:
            return layers, "final_states"
        if not layers or layers[0].kind not in _POOLING:
            after = layers[0].shown if layers else "nothing"
            raise SourceError(
                f"{self.file} has {after} after cells that return sequences, where GlobalMaxPooling1D or "
                f"GlobalAveragePooling1D can be mapped; {WAY_OUT}"
            )
        config = layers[0].config
        if config.get("keepdims") or config.get("data_format", "channels_last") != "channels_last":
            raise self.refused(layers[0], "keeps or swaps axes (keepdims, data_format), which can't be mapped")
        if layers[0].kind == "GlobalMaxPooling1D":
            self.notes.append("Keras let what it computed for padding into the maximum; here padding never enters it.")
        return layers[1:], _POOLING[layers[0].kind]

    def head(self, layers: list[Layer], inputs: int) -> Head | None:
        if not layers:
            return None
        first, rest = layers[0], layers[1:]
        if first.kind != "Dense":
            raise self.refused(first, f"can't be mapped after pooling, where a Dense can be; {WAY_OUT}")
        activation = first.config["activation"]
        size = first.config["units"]
        self._dense(first, "head.linear", inputs)
        if activation == "linear" and rest and rest[0].kind == "Activation":
            activation, rest = rest[0].config["activation"], rest[1:]
        elif activation == "linear" and rest and rest[0].kind == "LayerNormalization":
            epsilon = self._norm(rest[0], size)
            self._nothing_follows(rest[1:])
            return Head(size=size, then="layer_norm", epsilon=epsilon)
        if not isinstance(activation, str) or activation not in _THEN:
            raise self.refused(
                first,
                f"ends in {printable(activation)}, where linear, tanh or relu can be mapped; leave a classifier out: "
                f"{WAY_OUT}",
            )
        self._nothing_follows(rest)
        return Head(size=size, then=_THEN[activation])

    def _nothing_follows(self, rest: list[Layer]) -> None:
        if rest:
            raise self.refused(rest[0], f"comes after the head, where nothing can be mapped; {WAY_OUT}")

    def _norm(self, layer: Layer, size: int) -> float:
        config = layer.config
        axis = config["axis"][0] if isinstance(config["axis"], list) and len(config["axis"]) == 1 else config["axis"]
        if axis not in (-1, 1) or config.get("rms_scaling"):
            raise self.refused(layer, "normalises another axis, or by the root mean square, which can't be mapped")
        self.weights |= {"head.norm.weight": torch.ones(size), "head.norm.bias": torch.zeros(size)}
        has = {"head.norm.weight": config["scale"], "head.norm.bias": config["center"]}
        self._put(layer, {name: (size,) for name, there in has.items() if there})
        return float(config["epsilon"])

    def _dense(self, layer: Layer, part: str, inputs: int) -> None:
        units = layer.config["units"]
        bias = {f"{part}.bias": (units,)} if layer.config["use_bias"] else {}
        self._put(layer, {f"{part}.weight": (inputs, units), **bias})
        self.weights.setdefault(f"{part}.bias", torch.zeros(units))
        self.weights[f"{part}.weight"] = self.weights[f"{part}.weight"].T.contiguous()

    def _put(self, layer: Layer, shapes: dict[str, tuple[int, ...]]) -> None:
        for ours, (theirs, tensor) in zip(shapes, self.stored.of(layer, list(shapes.values())), strict=True):
            self.weights[ours], self.origins[ours] = tensor, theirs
