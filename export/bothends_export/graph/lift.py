"""Reads the weights back out of a graph that `build` wrote, by the names of its tensors."""

import onnx
from onnx import numpy_helper

from bothends.model.architecture import EncoderConfig
from bothends.model.graph import TABLE, layer_tensors

from .tensors import Array, initial_to_torch, linear_names, norm_names, to_torch


def weights_of(model: onnx.ModelProto, config: EncoderConfig) -> dict[str, Array]:
    """The weights that `build` was given, lifted from its graph. Raises ValueError if it is no such graph.

    The weight_hh of a projected LSTM comes back to float32's precision; all else as it was.
    """
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    try:
        layers = [{name: arrays[f"{name}{layer}"] for name in layer_tensors(config)} for layer in range(config.layers)]
        weights = {TABLE: arrays[TABLE]}
        for name in linear_names(config):
            weights[f"{name}.weight"] = arrays[f"{name}.weight.T"].T
            weights[f"{name}.bias"] = arrays[f"{name}.bias"]
        weights |= {name: arrays[name] for name in norm_names(config)}
        for layer, found in enumerate(layers):
            weights |= to_torch(found, config, layer)
        if config.learned_initial_states:
            weights |= initial_to_torch(layers, config)
    except (KeyError, IndexError) as error:
        raise ValueError(f"the graph has no initializer {error}") from error
    return weights
