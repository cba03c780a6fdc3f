"""Converts a file's tensors to finite, contiguous float32; those that can't be converted are refused by name."""

from pathlib import Path

import torch
from torch import Tensor

from bothends.text import printable

from ..source import SourceError

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_MAX_TIMES_ITS_FILE = 10
_ALWAYS_FINE_BYTES = 2**26


def check_expansion(expanded_bytes: int, file: Path) -> None:
    """Raise SourceError if tensors would fill the memory: a few bytes of a file can declare a huge tensor."""
    stored = file.stat().st_size
    if expanded_bytes > max(_MAX_TIMES_ITS_FILE * stored, _ALWAYS_FINE_BYTES):
        raise SourceError(
            f"{file} holds {stored:,} bytes and would unpack to {expanded_bytes:,}, more than {_MAX_TIMES_ITS_FILE} "
            "times that: it is damaged or made to fill the memory"
        )


def to_float32(tensors: dict[str, Tensor], file: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Convert every tensor to float32; returns them and notes for the user. Two names of one tensor still share it.

    Raises SourceError that names the tensor if it isn't floating-point, is of another type than the first one, has NaN
    or infinite numbers, is sparse or quantised, or is empty.
    """
    _check_kinds(tensors, file)
    views = {_view(tensor): tensor for tensor in tensors.values()}
    check_expansion(sum(tensor.numel() * tensor.element_size() for tensor in views.values()), file)
    made = {view: tensor.detach().contiguous().float() for view, tensor in views.items()}
    weights = {name: made[_view(tensor)] for name, tensor in tensors.items()}
    for name in {_view(tensor): name for name, tensor in reversed(tensors.items())}.values():
        _check_finite(name, tensors[name], weights[name], file)
    return weights, _notes(tensors)


def _view(tensor: Tensor) -> tuple[object, ...]:
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _check_kinds(tensors: dict[str, Tensor], file: Path) -> None:
    first: tuple[str, torch.dtype] | None = None
    for name, tensor in tensors.items():
        shown = printable(name)
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise SourceError(
                f"{file}: {shown} is no plain tensor ({_kind(tensor)}); save it dense, on the CPU and in float32"
            )
        if tensor.dtype not in _FLOATS:
            raise SourceError(
                f"{file}: {shown} is {_short(tensor.dtype)}, and weights are floating point; "
                f'where it is no weight, leave it out with ignore = ["{shown}"]'
            )
        first = first or (name, tensor.dtype)
        if tensor.dtype != first[1]:
            raise SourceError(
                f"{file}: {shown} is {_short(tensor.dtype)} and {printable(first[0])} is {_short(first[1])}; "
                "save all weights in one kind, say model.float().state_dict()"
            )


def _check_finite(name: str, stored: Tensor, weights: Tensor, file: Path) -> None:
    if torch.isfinite(weights).all():
        return
    if torch.isfinite(stored).all():
        raise SourceError(f"{file}: {printable(name)} holds {stored.abs().max().item():.3g}, too large for float32")
    raise SourceError(f"{file}: {printable(name)} holds NaN or infinite numbers")


def _notes(tensors: dict[str, Tensor]) -> list[str]:
    kinds = {tensor.dtype for tensor in tensors.values()} - {torch.float32}
    how = {torch.float64: "rounded"}
    return [
        f"The weights were stored as {_short(kind)} and are {how.get(kind, 'widened')} to float32." for kind in kinds
    ]


def _kind(tensor: Tensor) -> str:
    if tensor.is_quantized:
        return _short(tensor.dtype)
    return _short(tensor.layout) if tensor.layout != torch.strided else f"on the device {tensor.device.type}"


def _short(kind: object) -> str:
    return str(kind).removeprefix("torch.")
