"""Content of an opened weights file, and the error for every file that can't be imported."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import torch

from bothends.errors import BothendsError
from bothends.text import printable

Kind = Literal["safetensors", "torch", "torchscript", "keras"]

_MAX_LISTED = 12


class SourceError(BothendsError):
    """File to import that can't be read, needs code to run, or doesn't hold the expected encoder."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """Tensors of a file and the plain data beside them. Nothing of the file has run."""

    file: Path
    kind: Kind
    tensors: dict[str, torch.Tensor]
    """Tensors by dotted name, in the file's order: finite, contiguous float32 on the CPU."""
    extras: dict[str, Any] = field(default_factory=dict)
    """Plain data of the file: numbers, strings, None, and lists and dicts of them."""
    notes: list[str] = field(default_factory=list)
    """Changes that reading made, a sentence each."""
    ignored: dict[str, torch.Tensor] = field(default_factory=dict)
    """Tensors that the user leaves out, as the file has them."""


def join_names(names: Sequence[str]) -> str:
    """Join names from a file for one line: at most a dozen, and how many more there are."""
    shown = ", ".join(printable(name) for name in names[:_MAX_LISTED])
    return shown if len(names) <= _MAX_LISTED else f"{shown} and {len(names) - _MAX_LISTED} more"


def drop_ignored(tensors: dict[str, torch.Tensor], ignore: Sequence[str], file: Path) -> dict[str, torch.Tensor]:
    """Return the tensors whose names match none of the patterns (`*` and `?`).

    A pattern without a match is an error.
    """
    for pattern in ignore:
        if not any(fnmatchcase(name, pattern) for name in tensors):
            raise SourceError(
                f'{file}: ignore names "{printable(pattern)}", which matches none of {join_names(list(tensors))}'
            )
    return {n: tensor for n, tensor in tensors.items() if not any(fnmatchcase(n, pattern) for pattern in ignore)}
