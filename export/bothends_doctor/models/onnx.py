"""Opened ONNX encoder, which shows every tensor between its recurrent layers and its output."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bothends.text import printable

from ..errors import DoctorError
from ..mistakes.harness import Harness
from ..mistakes.readings import joined
from ..mistakes.recurrence import Array, Stack
from . import onnx_graph, onnx_layers, roles
from .model import Activation, Batch, Head, Inspection, ModelInfo, Port, Tokens
from .onnx_graph import Graph

_GUESSED_VOCABULARY = 8
"""Number of ids where no table is found: any model has as many."""


class OnnxModel:
    """ONNX encoder. Raises DoctorError if it has no LSTM or GRU of a kind that PyTorch has."""

    heads: tuple[Head, ...] = ()

    def __init__(self, path: Path, *, output: str | None = None) -> None:
        model = onnx_graph.load(path)
        self.graph = Graph(model)
        self.layers = onnx_layers.layers(self.graph)
        self.inputs = {port.role: port for port in roles.assign(onnx_graph.ports(self.graph.inputs))}
        outputs = onnx_graph.ports(model.graph.output)
        self.about = ModelInfo(
            str(path),
            "ONNX",
            printable(f"{model.producer_name} {model.producer_version}".strip()) or "not named",
            self.graph.opset,
            tuple(roles.assign(onnx_graph.ports(self.graph.inputs))),
            outputs,
        )
        self.tokens = self.inputs["tokens"]
        self._cells = {name: kind for layer in self.layers for node in layer for name, kind in node.outputs.items()}
        self.output = self._chosen(outputs, output)
        self._cuts = self._cuts_before(self.output)
        nodes = [node for layer in self.layers for node in layer]
        told = [node.input(index) for node in nodes for index in ("sequence_lens", "initial_h", "initial_c")]
        self.graph.taps = (
            *dict.fromkeys(
                name
                for name in [*(name for name, _ in self._cuts), nodes[0].input("X"), *told]
                if name and name not in self.graph.constants and all(name != fed.name for fed in self.graph.inputs)
            ),
        )
        self._weights = onnx_layers.weights(self.graph, self.layers)
        self.shapes = Stack(self.layers[0][0].cell, tuple(map(tuple, self._weights)))
        self.vocabulary: int | None = None
        self.table: str | None = None
        if self.tokens.dtype.startswith("int"):
            self.vocabulary, self.table = self._table()
        self.features = self._features()

    def alternative(self) -> None:
        """None: there is no other guess, since the graph says what it reads."""

    def _features(self) -> int:
        shape = self.tokens.shape or ()
        last = shape[2] if len(shape) == 3 else None
        return last if isinstance(last, int) else int(self._weights[0][0].weight_ih.shape[1])

    def _chosen(self, outputs: Sequence[Port], asked: str | None) -> Port:
        """The output that is the embedding."""
        if asked is not None:
            if not (found := [port for port in outputs if port.name == asked]):
                raise DoctorError(
                    f"there is no output {printable(asked)}; there are {', '.join(p.name for p in outputs)}"
                )
            return found[0]
        recurrent = self.graph.reached(self._cells)
        made = [port for port in outputs if port.name in recurrent and port.dtype.startswith("float")]
        if not made:
            raise DoctorError("no output depends on its recurrent layers")

        def likely(port: Port) -> tuple[bool, bool, bool]:
            """Order outputs: a row a sentence first, then h_n as it is; of several, those that are named embedding."""
            return (
                len(port.shape or ()) != 2,
                self._sources(port.name) != {"Y_h"},
                "emb" not in port.name.lower(),
            )

        return min(made, key=likely)

    def _cuts_before(self, output: Port) -> list[tuple[str, frozenset[str]]]:
        """Return the tensors through which all of the output's use of the states passes, in order."""
        spine = self.graph.reached(self._cells) & self.graph.needed(output.name)
        ordered = [name for node in self.graph.nodes for name in node.output if name in spine]
        return [
            (name, self._sources(name))
            for name in ordered
            if name == output.name or output.name not in self.graph.reached(self._cells, without=name)
        ]

    def _sources(self, name: str) -> frozenset[str]:
        """Outputs of cells that `name` is made of, not looking through the cells."""
        found = {name}
        for node in reversed(self.graph.nodes):
            if found.intersection(node.output) and not self._cells.keys() & set(node.output):
                found.update(node.input if node.op_type not in onnx_graph.BY_VALUE_FREE else ())
        return frozenset(kind for cell, kind in self._cells.items() if cell in found)

    def _table(self) -> tuple[int, str | None]:
        ids = self.graph.reached([self.tokens.name])
        for node in self.graph.nodes:
            if node.op_type == "Gather" and node.input[1] in ids and node.input[0] in self.graph.constants:
                dims = self.graph.constants[node.input[0]].dims
                if len(dims) == 2:
                    return int(dims[0]), node.input[0]
        return _GUESSED_VOCABULARY, None

    @property
    def declared(self) -> tuple[int | None, int | None]:
        """Fixed sizes of the tokens' first two axes."""
        first, second, *_ = (
            axis if isinstance(axis, int) and axis > 0 else None for axis in self.tokens.shape or (0, 0)
        )
        return first, second

    @property
    def numbers(self) -> tuple[int, ...]:
        """Constants that may be a frozen size."""
        return tuple(sorted(set(self.graph.integers())))

    def feeds(self, batch: Batch, *, batch_axis: int) -> dict[str, NDArray[Any]]:
        """Return the inputs in the graph's own order and types."""
        turned = batch.tokens if batch_axis == 0 else batch.tokens.swapaxes(0, 1)
        feeds = {self.tokens.name: turned.astype(self.tokens.dtype)}
        if port := self.inputs.get("lengths"):
            feeds[port.name] = batch.lengths.astype(port.dtype)
        if port := self.inputs.get("mask"):
            mask = np.arange(batch.time)[None] < batch.lengths[:, None]
            feeds[port.name] = (mask if batch_axis == 0 else mask.T).astype(port.dtype)
        for port in self.about.inputs:
            if port.role == "state":
                axes = [axis if isinstance(axis, int) else len(batch) for axis in port.shape or ()]
                feeds[port.name] = np.zeros(axes, dtype=port.dtype)
        return feeds

    def run(self, batch: Batch, *, batch_axis: int) -> list[Activation]:
        """Run a batch and return the value of each tensor that has a row for each sentence; the output is the last.

        Raises RunFailedError.
        """
        names = [name for name, _ in self._cuts]
        values = self.graph.values(names, self.feeds(batch, batch_axis=batch_axis))
        rows = [_rows(value, len(batch), batch.time) for value in values[:-1]]
        seen = [
            Activation(name, value, sources)
            for (name, sources), value in zip(self._cuts[:-1], rows, strict=True)
            if value is not None
        ]
        name, sources = self._cuts[-1]
        return [*seen, Activation(name, self._output_rows(values[-1], batch), sources)]

    def _output_rows(self, value: NDArray[Any], batch: Batch) -> Array:
        rows = _rows(value, len(batch), batch.time)
        is_states = not self._cuts[-1][1] - {"Y_h", "Y_c"}
        if rows is None and is_states and value.ndim == 3 and value.shape[1] == len(batch):
            rows = joined(value.astype(np.float32))  # h_n as it is
        if rows is None:
            return np.asarray(value, dtype=np.float32)  # whoever laid out the axes sees from the shape that it's wrong
        return rows

    def inspect(self, batch: Batch, *, batch_axis: int) -> Inspection:
        """Find weights, initial states, and which nodes use the lengths."""
        every = [node for layer in self.layers for node in layer]
        names = [
            name
            for node in every
            for index in ("sequence_lens", "initial_h", "initial_c")
            if (name := node.input(index))
        ]
        feeds = self.feeds(batch, batch_axis=batch_axis)
        values = dict(zip(names, self.graph.values(names, feeds), strict=True)) if names else {}
        packed, differs, layers = [], False, []
        for layer, directions in zip(self.layers, self._weights, strict=True):
            ends = [values.get(node.input("sequence_lens") or "") for node in layer]
            packed.append(all(end is not None and np.array_equal(np.sort(end), np.sort(batch.lengths)) for end in ends))
            made, unequal = onnx_layers.with_initial(directions, [_initial(node, values) for node in layer])
            layers.append(tuple(made))
            differs |= unequal
        stack = Stack(self.layers[0][0].cell, tuple(layers), all(node.linear_before_reset for node in every))
        return Inspection(stack, tuple(packed), self._swaps_axes(batch, batch_axis), differs)

    def _swaps_axes(self, batch: Batch, batch_axis: int) -> bool:
        """Return whether the cells read the batch as their first axis, by a batch of one sentence many times."""
        same = Batch(np.repeat(batch.tokens[:1], len(batch), axis=0), np.full(len(batch), batch.time))
        read = self._read(same, batch_axis)
        by_time = read.shape[:2] == (batch.time, len(batch)) and bool(np.all(read == read[:, :1]))
        return not by_time

    def _read(self, batch: Batch, batch_axis: int) -> Array:
        (value,) = self.graph.values([str(self.layers[0][0].input("X"))], self.feeds(batch, batch_axis=batch_axis))
        return np.asarray(value, dtype=np.float32)

    def vectors(self, batch: Batch, *, batch_axis: int) -> Array:
        """Return the vectors that the first layer reads.

        All lengths are set to the full time, so that nothing sorts the batch.
        """
        read = self._read(replace(batch, lengths=np.full(len(batch), batch.time)), batch_axis)
        return read if self._swaps_axes(batch, batch_axis) else np.ascontiguousarray(read.swapaxes(0, 1))

    def raw_shape(self, name: str, harness: Harness) -> tuple[int, ...]:
        """Return the shape of a tensor in the graph for the first batch that was tried."""
        batch = harness.batch(harness.size, harness.time).rows(slice(harness.layout.batch))
        (value,) = self.graph.values([name], self.feeds(batch, batch_axis=harness.layout.batch_axis))
        return value.shape

    def look_up(self, ids: Tokens) -> Array | None:
        """Return rows of the embedding table; None if none was found."""
        if self.table is None:
            return None
        (values,) = onnx_layers.constants(self.graph, [self.table])
        return np.asarray(values[ids], dtype=np.float32)


def _initial(node: onnx_layers.Node, values: dict[str, NDArray[Any]]) -> tuple[Any, Any]:
    return values.get(node.input("initial_h") or ""), values.get(node.input("initial_c") or "")


def _rows(value: NDArray[Any], batch: int, time: int) -> Array | None:
    """[batch, k], if `value` is that or that with axes of one; None else."""
    if value.dtype.kind != "f" or value.ndim > 4:
        return None
    kept = [size for index, size in enumerate(value.shape) if size != 1]
    if batch == 1:
        if len(kept) > 1 or (time > 1 and time in value.shape[:-1]):
            return None
        return value.reshape(1, -1).astype(np.float32)
    if len(kept) == 1 and kept[0] == batch and value.ndim > 1 and value.shape[-1] == 1:
        return value.reshape(batch, 1).astype(np.float32)
    if len(kept) != 2 or kept[0] != batch:
        return None
    return value.reshape(batch, -1).astype(np.float32)
