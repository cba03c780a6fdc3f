"""A top layer's steps to one vector a sentence, padding left out. Knows nothing of cells."""

import numpy as np
from onnx import TensorProto

from bothends.model.architecture import Pooling

from .net import Net


def pool(net: Net, steps: str, pooling: Pooling, output: str) -> None:
    """`steps` float32 [time, batch, numbers] to `output` float32 [batch, numbers], or twice as many."""
    _positions(net)
    if pooling == "max":
        net.add("ReduceMax", [_kept(net, steps, "LessOrEqual", "lengths", -np.inf)], output, axes=[0], keepdims=0)
    elif pooling == "mean":
        total = _sum(net, _kept(net, steps, "LessOrEqual", "lengths", 0), "sum")
        net.add("Cast", ["lengths"], "counts", to=TensorProto.FLOAT)
        net.add("Reshape", ["counts", net.constant("down", [-1, 1])], "counts_down")
        net.add("Div", [total, "counts_down"], output)
    elif pooling == "last_output":
        _sum(net, _kept(net, steps, "Equal", "lengths", 0), output)  # of one step and zeros: that step
    else:
        first = _sum(net, _kept(net, steps, "Equal", net.constant("one", np.ones(1, dtype=np.int32)), 0), "first")
        last = _sum(net, _kept(net, steps, "Equal", "lengths", 0), "last")
        net.add("Concat", [first, last], output, axis=1)


def _positions(net: Net) -> None:
    """`positions` int32 [time, batch], counted from 1. Not by Shape and Range, which run on CPUs only."""
    net.add("Equal", ["token_ids_by_time", "token_ids_by_time"], "true")
    net.add("Cast", ["true"], "ones", to=TensorProto.INT32)
    net.add("CumSum", ["ones", net.constant("time_axis", np.array(0, dtype=np.int64))], "positions")


def _kept(net: Net, steps: str, comparison: str, limit: str, other: float) -> str:
    """`steps` where `positions` compare so with `limit`; elsewhere `other`, which changes no result."""
    mask = net.add(comparison, ["positions", limit], f"{comparison}_{limit}")
    wide = net.add("Reshape", [mask, net.constant("widen", [0, 0, 1])], f"{mask}_wide")
    filling = net.constant("filling", np.array(other, dtype=np.float32))
    return net.add("Where", [wide, steps, filling], f"{mask}_steps")


def _sum(net: Net, steps: str, output: str) -> str:
    return net.add("ReduceSum", [steps, net.constant("over_time", [0])], output, keepdims=0)
