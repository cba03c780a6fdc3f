"""Reads the state dict that a file should hold, and compares the file's own weights with it.

Opens safetensors, and torch.save's files with `weights_only=True`, so that no code in them runs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from bothends.model.architecture import GATES, Cell
from bothends.text import printable
from bothends_export.graph import ONNX_TO_TORCH, reorder

from ..errors import DoctorError
from ..models.model import Model
from .recurrence import Array, Direction, Stack

RECURRENT = re.compile(r"(.*?)(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)_l(\d+)(_reverse)?")
"""A tensor of an nn.LSTM or nn.GRU: prefix, kind, layer, direction."""
_SAME_WITHIN = 1e-6


@dataclass(frozen=True, slots=True)
class Reference:
    """Weights with which a file is compared."""

    path: Path
    stack: Stack
    others: Mapping[str, Array]
    """Tensors that are no cell's: the embedding table, a head."""


def load(path: Path, like: Stack) -> Reference:
    """Return the recurrent weights of a state dict that have the shapes of `like`.

    Raises DoctorError, naming the tensor.
    """
    tensors = _tensors(path)
    groups: dict[str, dict[str, Array]] = {}
    others: dict[str, Array] = {}
    for name, array in tensors.items():
        if found := RECURRENT.fullmatch(name):
            groups.setdefault(found[1], {})[name[len(found[1]) :]] = array
        else:
            others[name] = array
    if not groups:
        raise DoctorError(f"{path} holds no weights of an nn.LSTM or nn.GRU: no tensor is named like lstm.weight_ih_l0")
    reasons = []
    for prefix, group in groups.items():
        try:
            stack = stack_of(group, like.cell, prefix)
            _check_fit(stack, like, prefix)
            return Reference(path, _with_initial(stack, others), others)
        except DoctorError as error:
            reasons.append(str(error))
    raise DoctorError(f"{path}: {reasons[0]}")


def _check_fit(made: Stack, like: Stack, prefix: str) -> None:
    if (theirs := (len(made.layers), made.directions)) != (ours := (len(like.layers), like.directions)):
        raise DoctorError(
            f"{prefix or 'its weights'} has {theirs[0]} layer(s) of {theirs[1]} direction(s), "
            f"the file {ours[0]} of {ours[1]}"
        )
    for number, (layer, other) in enumerate(zip(made.layers, like.layers, strict=True)):
        for direction, expected in zip(layer, other, strict=True):
            for name in ("weight_ih", "weight_hh"):
                if (got := getattr(direction, name).shape) != (wanted := getattr(expected, name).shape):
                    raise DoctorError(
                        f"{prefix}{name}_l{number} has shape {list(got)}, the file's weights have {list(wanted)}; "
                        "is it another model's?"
                    )


def stack_of(group: Mapping[str, Array], cell: Cell | None, prefix: str) -> Stack:
    """Return a stack of the tensors named as in nn.LSTM and nn.GRU. If `cell` is None, it follows from the sizes."""
    try:
        hidden_rows, state = group["weight_ih_l0"].shape[0], group["weight_hh_l0"].shape[1]
    except KeyError as error:
        raise DoctorError(f"the tensor {printable(prefix)}{error.args[0]} is missing") from None
    if cell is None:
        if "weight_hr_l0" in group or hidden_rows == 4 * state:
            cell = "lstm"
        elif hidden_rows == 3 * state:
            cell = "gru"
        else:
            raise DoctorError(
                f"{printable(prefix)}weight_ih_l0 is of no LSTM and no GRU: {hidden_rows} rows for {state}"
            )
    count = 1 + max(int(found[3]) for name in group if (found := RECURRENT.fullmatch(name)))
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in group else ("",)
    layers = tuple(tuple(_direction(group, cell, f"l{n}{end}", prefix) for end in suffixes) for n in range(count))
    return Stack(cell, layers)


def _direction(group: Mapping[str, Array], cell: Cell, end: str, prefix: str) -> Direction:
    try:
        weight_ih, weight_hh = group[f"weight_ih_{end}"], group[f"weight_hh_{end}"]
    except KeyError as error:
        raise DoctorError(f"the tensor {printable(prefix)}{error.args[0]} is missing") from None
    if weight_ih.ndim != 2 or weight_hh.ndim != 2 or len(weight_ih) % GATES[cell] or len(weight_ih) != len(weight_hh):
        raise DoctorError(
            f"{printable(prefix)}weight_ih_{end} has shape {list(weight_ih.shape)} and weight_hh_{end} "
            f"{list(weight_hh.shape)}, which no {cell.upper()} has"
        )
    none = np.zeros(len(weight_ih), np.float32)
    biases = group.get(f"bias_ih_{end}", none), group.get(f"bias_hh_{end}", none)
    return Direction(weight_ih, weight_hh, *biases, group.get(f"weight_hr_{end}"))


def _with_initial(stack: Stack, others: Mapping[str, Array]) -> Stack:
    """The stack with learned initial states, where tensors are named and shaped as bothends' encoders have them."""
    states = {}
    for name, size in (("h_0", stack.state_size), ("c_0", stack.hidden_size)):
        wanted = (len(stack.layers) * stack.directions, size)
        for key, array in others.items():
            if key.rsplit(".", 1)[-1].replace("_", "") == name.replace("_", "") and array.size == wanted[0] * wanted[1]:
                states[name] = array.reshape(wanted)
    layers = tuple(
        tuple(
            replace(one, **{name: array[number * stack.directions + index] for name, array in states.items()})
            for index, one in enumerate(layer)
        )
        for number, layer in enumerate(stack.layers)
    )
    return replace(stack, layers=layers)


def _tensors(path: Path) -> dict[str, Array]:
    loaded: Any
    try:
        if path.suffix == ".safetensors":
            loaded = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise DoctorError(
            f"{path} is a pickle that wants to run code, which isn't done; save its state dict alone: "
            "torch.save(model.state_dict(), file)"
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise DoctorError(f"{path} can't be read as a state dict: {printable(error)}") from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping):
        raise DoctorError(f"{path} is no state dict but a {type(loaded).__name__}")
    found = {str(name): value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    for name, tensor in found.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise DoctorError(f"{path}: {printable(name)} holds NaN or infinite numbers")
    return {name: tensor.detach().float().contiguous().numpy() for name, tensor in found.items()}


def holds_table(reference: Reference, model: Model) -> bool:
    """Return True if the model's embedding table is the state dict's, perhaps in float16, or if either can't be
    seen.
    """
    if model.vocabulary is None or (rows := model.look_up(np.arange(model.vocabulary))) is None:
        return True
    same_size = [
        array for name, array in reference.others.items() if array.shape == rows.shape and "emb" in name.lower()
    ]
    return not same_size or any(np.allclose(array, rows, rtol=1e-3, atol=1e-6) for array in same_size)


def gates(stack: Stack, reference: Stack) -> str:
    """Return how `stack` differs from `reference`: same, torch, order (of gates), bias, initial, directions or
    other.
    """
    if _all_same(stack, reference, tuple(range(GATES[stack.cell]))):
        return "same" if _same_initial(stack, reference) else "initial"
    if _all_same(stack, reference, ONNX_TO_TORCH[stack.cell]):
        return "torch"
    for order in permutations(range(GATES[stack.cell])):
        if _all_same(stack, reference, order):
            return "order"
    if _all_same(stack, reference, tuple(range(GATES[stack.cell])), names=("weight_ih", "weight_hh")):
        return "bias"
    turned = replace(reference, layers=tuple(layer[::-1] for layer in reference.layers))
    return (
        "directions" if stack.directions == 2 and _all_same(stack, turned, tuple(range(GATES[stack.cell]))) else "other"
    )


def _all_same(
    stack: Stack,
    reference: Stack,
    order: tuple[int, ...],
    *,
    names: tuple[str, ...] = ("weight_ih", "weight_hh", "biases"),
) -> bool:
    pairs = zip(stack.layers, reference.layers, strict=True)
    return all(
        _same(_part(mine, name, stack.cell), reorder(part, order, stack.hidden_size))
        for layer, other in pairs
        for mine, theirs in zip(layer, other, strict=True)
        for name in names
        for part in [_part(theirs, name, stack.cell)]
    )


def _part(direction: Direction, name: str, cell: Cell) -> Array:
    """A weight, or the biases as far as they matter: an LSTM adds both; a GRU keeps them apart in its last gate."""
    if name != "biases":
        array: Array = getattr(direction, name)
        return array
    if cell == "lstm":
        return direction.bias_ih + direction.bias_hh
    return np.stack((direction.bias_ih, direction.bias_hh), axis=1)


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=0, atol=_SAME_WITHIN))


def _same_initial(stack: Stack, reference: Stack) -> bool:
    return all(_same(one, other) for one, other in zip(_initial(stack), _initial(reference), strict=True))


def _initial(stack: Stack) -> list[Array]:
    """h_0 and c_0 of each direction of each layer."""
    rows = [
        (row, size)
        for layer in stack.layers
        for one in layer
        for row, size in ((one.h_0, stack.state_size), (one.c_0, stack.hidden_size))
    ]
    return [np.zeros(size, np.float32) if row is None else row for row, size in rows]
