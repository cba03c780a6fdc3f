"""Cells, poolings and heads, toy-sized, on the GPU: each wholly there, and a CPU's rows."""

from typing import Any

import numpy as np
import onnxruntime
from checks import Checks
from numpy.typing import NDArray
from rows import copies, profiled

from bothends.engines.arrays import flat, pad
from bothends.engines.onnxruntime import options_for, provider_for
from bothends.model.architecture import GATES, EncoderConfig, layer_name
from bothends_export.graph.build import build

BASE = {"vocabulary_size": 50, "embedding_size": 32, "hidden_size": 64, "layers": 1}
VARIANTS: dict[str, dict[str, Any]] = {
    "3 layers": {"layers": 3},
    "no bias": {"bias": False},
    "one-way": {"bidirectional": False},
    "GRU": {"cell": "gru"},
    "GRU, 2 layers": {"cell": "gru", "layers": 2},
    "GRU, one-way": {"cell": "gru", "bidirectional": False},
    "max": {"pooling": "max", "layers": 2},
    "max, one-way": {"pooling": "max", "bidirectional": False},
    "mean": {"pooling": "mean"},
    "last output": {"pooling": "last_output"},
    "first and last output": {"pooling": "first_and_last_output"},
    "attention": {"pooling": "attention", "attention": {"size": 24}},
    "attention of 3 hops, 2 layers": {"pooling": "attention", "attention": {"size": 24, "hops": 3}, "layers": 2},
    "2 layers of unequal width": {"layers": 2, "hidden_sizes": (32, 64)},
    "learned states": {"learned_initial_states": True, "layers": 2},
    "input projection": {"input_projection": 16},
    "projected": {"projection_size": 16, "layers": 2},
    "projected, learned states": {"projection_size": 16, "learned_initial_states": True},
    "head": {"pooling": "mean", "head": {"size": 24}},
    "head, tanh": {"pooling": "mean", "head": {"size": 24, "then": "tanh"}},
    "head, relu": {"pooling": "max", "head": {"size": 24, "then": "relu"}},
    "head, layer norm": {"pooling": "max", "head": {"size": 24, "then": "layer_norm"}},
}
COMPUTED = {"3 layers", "no bias"}
"""Variants whose every kernel the stand-in computes; of the others it shows where they are placed, and runs them."""
Weights = dict[str, NDArray[Any]]


def cells(config: EncoderConfig, random: np.random.Generator) -> Weights:
    """Random weights of all cells, by PyTorch's names."""
    made: dict[str, tuple[int, ...]] = {}
    for layer, width in enumerate(config.widths):
        rows = GATES[config.cell] * width
        for end in ("", "_reverse")[: config.directions]:
            name = layer_name(config.cell, layer, is_uneven=config.is_uneven) + end
            made[name.format("weight_ih")] = (rows, config.layer_input_size(layer))
            made[name.format("weight_hh")] = (rows, config.projection_size or width)
            if config.bias:
                made |= {name.format(kind): (rows,) for kind in ("bias_ih", "bias_hh")}
            if config.projection_size:
                made[name.format("weight_hr")] = (config.projection_size, width)
    return {name: _floats(random, *shape) for name, shape in made.items()}


def weights(config: EncoderConfig, random: np.random.Generator) -> Weights:
    """Random weights of a whole encoder, by the names of its checkpoint."""
    table = random.normal(size=(config.vocabulary_size, config.embedding_size)).astype(np.float16)
    found: Weights = {"embedding.weight": table} | cells(config, random)
    if size := config.input_projection:
        found["input_projection.weight"] = _floats(random, size, config.embedding_size)
        found["input_projection.bias"] = _floats(random, size)
    if config.learned_initial_states:
        states = config.layers * config.directions
        found |= {"h_0": _floats(random, states, config.state_size), "c_0": _floats(random, states, config.hidden_size)}
    if attention := config.attention:
        found["attention.hidden.weight"] = _floats(random, attention.size, config.directions * config.state_size)
        found["attention.hidden.bias"] = _floats(random, attention.size)
        found["attention.scores.weight"] = _floats(random, attention.hops, attention.size)
    if head := config.head:
        found["head.linear.weight"] = _floats(random, head.size, config.pooled_size)
        found |= {f"head.{name}": _floats(random, head.size) for name in ("linear.bias", "norm.weight", "norm.bias")}
    return found


def variants(checks: Checks) -> None:
    """Each variant on CUDA alone, and equal to a CPU's rows where all of it is computed."""
    copied: dict[str, list[str]] = {}
    for name, more in VARIANTS.items():
        config = EncoderConfig.model_validate(BASE | more)
        model = build(weights(config, checks.random), config).SerializeToString()
        token_ids, lengths = pad(*flat(checks.sentences(33, 1, 40, config.vocabulary_size)))
        feeds = {"token_ids": token_ids, "lengths": lengths}
        on_cpu = onnxruntime.InferenceSession(model, options_for("cpu"), providers=[provider_for("cpu")])
        wanted = on_cpu.run(["embedding"], feeds)[0]
        try:
            _, found, nodes = profiled(model, feeds, wanted.shape)
        except Exception as error:
            checks.check(f"variant: {name}", ok=False, what=str(error)[-200:])
            continue
        copied[name] = copies(nodes)
        if checks.standin and name not in COMPUTED:
            checks.check(f"variant: {name}", ok=True, what="placed on CUDA alone, and ran")
        else:
            checks.near(f"variant: {name}", found, wanted, 1e-4)
    needing = {name for name in copied if reads_lengths(VARIANTS[name])}
    ok = all(found == ["MemcpyFromHost"] * (name in needing) for name, found in copied.items())
    what = f"`lengths` to each of {len(needing)} encoders that read them on the GPU too, no other"
    checks.check("copies between devices", ok, what if ok else copied)


def reads_lengths(variant: dict[str, Any]) -> bool:
    """Tell whether nodes other than cells, which read them on the host, need lengths: poolings, states for each row."""
    return "pooling" in variant or "learned_initial_states" in variant


def _floats(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return (random.normal(size=shape) * 0.2).astype(np.float32)
