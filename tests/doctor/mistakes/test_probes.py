"""Frozen axes, whatever the file declares, leaks of padding, and cells of other exporters are found."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from tests.doctor import graphs
from tests.doctor.examining import fact, look, mistakes
from tests.doctor.modules import EMBEDDING, HIDDEN, Unpacked, example

Change = Callable[[onnx.GraphProto], None]


def changed(file: Path, change: Change, **how: object) -> Path:
    """A right graph of one layer after a change; how its rows come out is for `change` to say."""
    graphs.build(file, **how)  # type: ignore[arg-type]  # the caller names build's own
    model = onnx.load(str(file))
    change(model.graph)
    onnx.save(model, str(file))
    return file


def stored(graph: onnx.GraphProto, name: str, values: object, dtype: type = np.int64) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
    return name


def node(graph: onnx.GraphProto, kind: str) -> onnx.NodeProto:
    return next(node for node in graph.node if node.op_type == kind)


def last(graph: onnx.GraphProto) -> onnx.NodeProto:
    return graph.node[-1]


def batch_of_reshape(graph: onnx.GraphProto) -> None:
    """Freeze the batch as `view(4, -1)` does."""
    row = graph.node.pop()
    graph.node.append(helper.make_node("Reshape", [row.input[0], stored(graph, "shape", [4, -1])], ["embedding"]))


def batch_of_initial_states(graph: onnx.GraphProto) -> None:
    """Zeros, made when it was exported."""
    zeros = stored(graph, "zeros", np.zeros((2, 3, HIDDEN)), np.float32)
    node(graph, "LSTM").input.extend([zeros, zeros])


def stored_lengths(graph: onnx.GraphProto) -> None:
    node(graph, "LSTM").input[4] = stored(graph, "ends", [6, 6, 6], np.int32)


def divisor(graph: onnx.GraphProto) -> None:
    """A mean over what was traced: eight steps."""
    mean = node(graph, "ReduceMean")
    mean.op_type = "ReduceSum"
    del mean.attribute[:]
    mean.input.append(stored(graph, "over", [1]))
    mean.attribute.append(helper.make_attribute("keepdims", 0))
    mean.output[0] = "total"
    last(graph).op_type = "Div"
    last(graph).input[:] = ["total", stored(graph, "divisor", 8, np.float32)]


@pytest.mark.parametrize("change", [batch_of_reshape, batch_of_initial_states])
def test_a_batch_that_is_frozen_inside(tmp_path: Path, change: Change) -> None:
    file = changed(tmp_path / "encoder.onnx", change)
    assert mistakes(file) == ["frozen_batch"]
    assert fact(look(file), "batch").says == f"frozen at {4 if change is batch_of_reshape else 3}"


def test_lengths_that_were_stored(tmp_path: Path) -> None:
    """Cells with stored lengths are frozen: no length that is given reaches them."""
    found = mistakes(changed(tmp_path / "encoder.onnx", stored_lengths))
    assert {"frozen_batch", "frozen_time"} <= set(found)
    assert {"padded_h_n", "padding_leaks"} & set(found)


def test_a_mean_by_the_traced_time(tmp_path: Path) -> None:
    """Silently wrong at every other length."""
    found = look(changed(tmp_path / "encoder.onnx", divisor, pooling="padding_in_mean"))
    assert [diagnosis.key for diagnosis in found.findings.diagnoses] == ["padding_in_mean", "frozen_time"]
    assert "computes something else" in fact(found, "time").says


def split(graph: onnx.GraphProto) -> None:
    """A bidirectional layer as two nodes, as Keras' Bidirectional comes out of some converters."""
    whole = node(graph, "LSTM")
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = list(graph.node)
    del graph.node[:]
    for index, direction in enumerate(("forward", "reverse")):
        names = [
            stored(graph, f"{name}_{direction}", arrays[name][index : index + 1], np.float32)
            for name in ("W0", "R0", "B0")
        ]
        inputs = [whole.input[0], *names, "lengths"]
        made = helper.make_node("LSTM", inputs, ["", f"{direction}_h"], direction=direction, hidden_size=HIDDEN)
        nodes.insert(nodes.index(whole) + index, made)
    position = nodes.index(whole)
    kept = nodes[:position]
    kept.append(helper.make_node("Concat", ["forward_h", "reverse_h"], ["Y_h0"], axis=0))
    kept += [one for one in nodes[position + 1 :] if "output0" not in one.output and "Y0_turned" not in one.output]
    graph.node.extend(kept)


def test_directions_in_nodes_of_their_own(tmp_path: Path) -> None:
    assert mistakes(changed(tmp_path / "right.onnx", split)) == []
    assert mistakes(changed(tmp_path / "wrong.onnx", split, pooling="swapped_halves")) == ["swapped_halves"]


class Frozen(nn.Module):
    """Code that knows the batch or the length that it was written for."""

    def __init__(self, which: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.which = which
        self.embedding = nn.Embedding(50, EMBEDDING)
        self.rnn = nn.LSTM(EMBEDDING, HIDDEN, bidirectional=True, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        read: tuple[Tensor, tuple[Tensor, Tensor]] = self.rnn(self.embedding(tokens))
        output, (h_n, _) = read
        if self.which == "batch":
            return h_n.transpose(0, 1).reshape(3, 2 * HIDDEN)
        return output[:, 7]


@pytest.mark.parametrize("which", ["batch", "time"])
def test_a_frozen_torchscript(tmp_path: Path, which: str) -> None:
    module = Frozen(which).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.trace(module, (torch.randint(0, 50, (3, 8)),))  # type: ignore[no-untyped-call]  # PyTorch's has no types
        torch.jit.save(made, str(tmp_path / "encoder.pt"))
    found = mistakes(tmp_path / "encoder.pt")
    assert (f"frozen_{which}" in found, "frozen_batch" in found) == (True, which == "batch")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("read", "key", "static"),
    [
        ("final_states", "padded_h_n", True),
        ("last_step", "last_step", False),
        ("padding_in_max", "padding_in_max", False),
    ],
)
def test_pytorchs_newer_exporter(tmp_path: Path, read: str, key: str, static: bool) -> None:
    """Exports of PyTorch's newer exporter leak, as it can't pack; frozen axes are named where they were not free."""
    pytest.importorskip("onnxscript")
    module, file = Unpacked(read, layers=2, head=read == "last_step"), tmp_path / "encoder.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    free = torch.export.Dim.DYNAMIC
    shapes = None if static else ({0: free, 1: free},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(module, example(module), str(file), dynamo=True, dynamic_shapes=shapes, verbose=False)
        except torch.onnx.OnnxExporterError:
            pytest.skip("it takes the time for a constant, and says so")
    found = mistakes(file)
    assert key in found
    assert ("frozen_batch" in found, "frozen_time" in found) == (static, static)


def test_how_padding_leaks_is_told_of_each_half(tmp_path: Path) -> None:
    """output[:, len-1] of an unpacked bidirectional run: the forward half doesn't see the padding."""
    graphs.build(tmp_path / "encoder.onnx", pooling="step_before_padding", told=False)
    leak = look(tmp_path / "encoder.onnx").findings.leak
    assert leak.forward == pytest.approx(0, abs=1e-6)
    assert leak.backward is not None
    assert leak.backward > 0.05


def test_a_sentence_alone_is_compared_with_the_same_in_a_batch(tmp_path: Path) -> None:
    """Zeros behind a packed sentence's end are the same whatever the padding, and in the max all the same."""
    graphs.build(tmp_path / "encoder.onnx", pooling="padding_in_max")
    leak = look(tmp_path / "encoder.onnx").findings.leak
    assert leak.padding == 0
    assert leak.alone is not None
    assert leak.alone > 0.01


def test_a_zero_row_for_padding_hides_nothing(tmp_path: Path) -> None:
    """Random tokens are the padding, not token 0."""
    graphs.build(tmp_path / "encoder.onnx", told=False)
    model = onnx.load(str(tmp_path / "encoder.onnx"))
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "table")
    rows = numpy_helper.to_array(table).copy()
    rows[0] = 0
    table.raw_data = rows.tobytes()
    onnx.save(model, str(tmp_path / "encoder.onnx"))
    assert mistakes(tmp_path / "encoder.onnx") == ["padded_h_n"]
    leak = look(tmp_path / "encoder.onnx").findings.leak
    assert min(leak.forward or 0, leak.backward or 0) > 0.05
