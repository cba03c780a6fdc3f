"""Opened TorchScript encoder: its parameters are identified by name; its code is run, not read.

`torch.jit.load` unpickles nothing that could run Python; the module's own code runs in TorchScript's interpreter.
"""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bothends.text import printable

from ..errors import DoctorError, RunFailedError
from ..mistakes.readings import joined
from ..mistakes.recurrence import Array, Stack
from ..mistakes.reference import RECURRENT, stack_of
from .heads import guesses
from .model import Activation, Batch, Inspection, ModelInfo, Port, Tokens

_MAX_FROZEN = 4096


class TorchScriptModel:
    """TorchScript encoder. Raises DoctorError if it has no LSTM or GRU, or unknown arguments."""

    def __init__(self, path: Path, *, output: str | None = None, reads_ids: bool = True) -> None:
        self._path, self._asked = path, output
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated; the files are there all the same
            try:
                load: Callable[..., Any] = torch.jit.load
                self.module = load(str(path), map_location="cpu").eval()
            except (RuntimeError, ValueError) as error:
                raise DoctorError(f"{path} can't be read as TorchScript: {printable(str(error).strip())}") from error
        arrays = {name: tensor.detach().float().numpy() for name, tensor in self.module.state_dict().items()}
        self.stack, self._prefix = _stack(arrays, path)
        self.shapes = self.stack
        others = {name: array for name, array in arrays.items() if not name.startswith(self._prefix)}
        self.table, self.table_name = _table(others, self.stack) if reads_ids else (None, None)
        self.vocabulary = None if self.table is None else len(self.table)
        self.features = self.stack.input_size
        used = {self.table_name}
        self.heads = guesses({name: array for name, array in others.items() if name not in used})
        self._arguments = _arguments(self.module, path, reads_ids=self.table is not None)
        self._index = _index(output, path)
        self.output = Port("output" if output is None else output, "float32", None)
        self.about = ModelInfo(str(path), "TorchScript", "PyTorch", None, self._arguments, (self.output,))

    def alternative(self) -> "TorchScriptModel | None":
        """Same file, assumed to read vectors: its embedding table may be unused."""
        if self.table is None:
            return None
        return TorchScriptModel(self._path, output=self._asked, reads_ids=False)

    @property
    def declared(self) -> tuple[int | None, int | None]:
        """None for both: TorchScript declares no sizes."""
        return None, None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Constants in its code that may be a frozen size, and sizes of tensors in it."""
        found: set[int] = set()
        graph = self.module.inlined_graph  # kept: its nodes go with it
        for node in graph.findAllNodes("prim::Constant"):
            try:
                value = node.output().toIValue()
            except TypeError:  # a device
                continue
            if isinstance(value, Tensor):
                found.update(value.shape)
                value = value.item() if value.numel() == 1 else None
            found.update([value] if isinstance(value, int) else value if _is_ints(value) else [])
        return tuple(sorted(number for number in found if type(number) is int and 0 < number < _MAX_FROZEN))

    def _feeds(self, batch: Batch, batch_axis: int) -> Iterator[Tensor]:
        turned = batch.tokens if batch_axis == 0 else batch.tokens.swapaxes(0, 1)
        for port in self._arguments:
            if port.role == "tokens":
                yield torch.from_numpy(np.ascontiguousarray(turned))
            elif port.role == "lengths":
                yield torch.from_numpy(batch.lengths)
            elif port.role == "mask":
                mask = torch.from_numpy(np.arange(batch.time)[None] < batch.lengths[:, None])
                yield mask if batch_axis == 0 else mask.T
            else:
                yield torch.zeros(len(self.stack.layers) * self.stack.directions, len(batch), self.stack.state_size)

    @torch.inference_mode()
    def run(self, batch: Batch, *, batch_axis: int) -> list[Activation]:
        """Compute the output. If the module requires it, sentences are sorted by length first, and the result is sorted
        back.
        """
        try:
            return [self._seen(self._call(batch, batch_axis), batch)]
        except RunFailedError as error:
            order = np.argsort(-batch.lengths, kind="stable")
            if "sorted" not in str(error) or np.array_equal(order, np.arange(len(batch))):
                raise
            seen = self._seen(self._call(batch.rows(order), batch_axis), batch)
            return [Activation(seen.where, seen.rows[np.argsort(order)])]

    def _call(self, batch: Batch, batch_axis: int) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self.module(*self._feeds(batch, batch_axis))
        except Exception as error:  # a stranger's code may raise anything
            raise RunFailedError(_last_line(error)) from error

    def _seen(self, answer: Any, batch: Batch) -> Activation:
        rows = _chosen(answer, self._index, batch)
        if rows.ndim == 3 and rows.shape[0] * rows.shape[1] == len(batch):
            rows = rows.reshape(len(batch), -1)
        elif rows.ndim == 3 and rows.shape[1] == len(batch) and self._is_states(rows, batch.time):
            rows = joined(rows)
        return Activation("output", rows)

    def _is_states(self, rows: Array, time: int) -> bool:
        """Return whether [n, batch, size] is h_n, and not the output of every step."""
        directions, layers = self.stack.directions, len(self.stack.layers)
        of_size = rows.shape[0] in (directions, layers * directions) and rows.shape[2] == self.stack.state_size
        return of_size and (directions == 2 or rows.shape[0] != time)

    def inspect(self, batch: Batch, *, batch_axis: int) -> Inspection:  # noqa: ARG002  a Model's arguments
        """Find the parameters; what the code does with them isn't visible."""
        return Inspection(self.stack, None)

    def look_up(self, ids: Tokens) -> Array | None:
        """Return rows of the embedding table; None if the model reads vectors."""
        return None if self.table is None else np.asarray(self.table[ids])

    def vectors(self, batch: Batch, *, batch_axis: int) -> Array:  # noqa: ARG002  a Model's arguments
        """Return the vectors of the batch's ids from the embedding table, float32 [batch, time, features]."""
        return batch.tokens if self.table is None else self.table[batch.tokens]


def _is_ints(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, int) for one in value)


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return printable(lines[-1].strip() if lines else type(error).__name__)


def _stack(arrays: dict[str, Array], path: Path) -> tuple[Stack, str]:
    groups: dict[str, dict[str, Array]] = {}
    for name, array in arrays.items():
        if found := RECURRENT.fullmatch(name):
            groups.setdefault(found[1], {})[name[len(found[1]) :]] = array
    if not groups:
        reason = "; it has no parameters at all: save it before torch.jit.freeze" if not arrays else ""
        raise DoctorError(f"{path} holds no nn.LSTM or nn.GRU: no parameter is named like lstm.weight_ih_l0{reason}")
    if len(groups) > 1:
        raise DoctorError(
            f"{path} holds several recurrent modules: {', '.join(map(printable, groups))}; doctor knows one"
        )
    ((prefix, group),) = groups.items()
    try:
        return stack_of(group, None, prefix), prefix
    except DoctorError as error:
        raise DoctorError(f"{path}: {error}") from error


def _table(others: dict[str, Array], stack: Stack) -> tuple[Array | None, str | None]:
    """The embedding table: as wide as the cells' input; of several, the one that is named so, else the longest."""
    fitting = [
        (name, array) for name, array in others.items() if array.ndim == 2 and array.shape[1] == stack.input_size
    ]
    named = [(name, array) for name, array in fitting if "emb" in name.lower() or "table" in name.lower()]
    if not fitting or (not named and stack.input_size == stack.state_size * stack.directions):
        return None, None  # a head of that width can't be told from a table
    name, array = max(named or fitting, key=lambda pair: len(pair[1]))
    return array, name


def _arguments(module: Any, path: Path, *, reads_ids: bool) -> tuple[Port, ...]:
    ports = []
    for index, argument in enumerate(module.forward.schema.arguments[1:]):
        kind, name = str(argument.type), argument.name.lower()
        if index == 0:
            ports.append(Port(argument.name, "int64" if reads_ids else "float32", None, "tokens"))
        elif argument.has_default_value():
            break
        elif kind != "Tensor":
            raise DoctorError(f"{path}: its argument {printable(argument.name)} is a {printable(kind)}, not a tensor")
        elif "mask" in name:
            ports.append(Port(argument.name, "bool", None, "mask"))
        elif "len" in name or index == 1:
            ports.append(Port(argument.name, "int64", None, "lengths"))
        else:
            ports.append(Port(argument.name, "float32", None, "state"))
    if not ports:
        raise DoctorError(f"{path}: its forward takes no arguments")
    return tuple(ports)


def _index(output: str | None, path: Path) -> int | None:
    if output is None or output.isdigit():
        return None if output is None else int(output)
    raise DoctorError(f"{path}: outputs of TorchScript have no names; give the number of one, counted from 0")


def _chosen(answer: Any, index: int | None, batch: Batch) -> Array:
    """The output that was asked for, or the first that has a row a sentence."""
    flat = [tensor for tensor in _flat(answer) if tensor.is_floating_point()]
    if not flat or (index is not None and index >= len(flat)):
        raise RunFailedError("it returns no such tensor of floating point numbers")
    if index is not None:
        return np.asarray(flat[index].float().numpy())
    best = next((tensor for tensor in flat if tensor.ndim == 2 and len(tensor) == len(batch)), None)
    if best is None:
        best = next((tensor for tensor in flat if tensor.ndim == 3 and tensor.shape[1] == len(batch)), flat[0])
    return np.asarray(best.float().numpy())


def _flat(answer: Any) -> Iterator[Tensor]:
    if isinstance(answer, Tensor):
        yield answer
    elif isinstance(answer, tuple | list):
        for one in answer:
            yield from _flat(one)
    elif isinstance(answer, dict):
        for one in answer.values():
            yield from _flat(one)
