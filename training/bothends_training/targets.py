"""Provides the teachers' vectors of a batch, from files or from a device's memory."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .dataset import Dataset
from .device import send

_ROWS = 1 << 16
"""Vectors that are read from disk at a time."""


class Targets:
    """Teachers' vectors of a corpus, looked up by training steps.

    A CPU reads them from the mapped files. Another device holds all of them in its memory from the start, in the files'
    float16.
    """

    def __init__(self, dataset: Dataset, device: torch.device, *, are_resident: bool | None = None) -> None:
        """Read the teachers' vectors of `dataset` for a student on `device`. `are_resident` says whether all are held
        in the device's memory; None leaves it to the device.
        """
        self._device, self._places = device, dataset.places
        self._vectors = dataset.vectors
        self._tables: list[Tensor] | None = None
        if device.type != "cpu" if are_resident is None else are_resident:
            self._tables = [resident(vectors.kept, vectors.rows, device) for vectors in dataset.vectors]

    def of(self, texts: NDArray[np.int64]) -> list[Tensor | None]:
        """Return each teacher's unit vectors of the texts with these numbers (int64 [texts]), float32 [texts, its
        dimension]; None if it lacks some.
        """
        return [
            self._read(number, found[texts]) if found[texts].min() >= 0 else None
            for number, found in enumerate(self._places)
        ]

    def _read(self, teacher: int, rows: NDArray[np.int64]) -> Tensor:
        if self._tables is None:
            return torch.from_numpy(self._vectors[teacher][rows])
        return self._tables[teacher].index_select(0, send(rows, self._device)).float()


def resident(kept: NDArray[np.float16], rows: NDArray[np.int64], device: torch.device) -> Tensor:
    """Copy the rows of `kept` (float16 [all rows, dimension], mapped from a file) with the numbers `rows` to the memory
    of `device`, float16 [rows, dimension].
    """
    table = torch.empty(len(rows), kept.shape[1], dtype=torch.float16, device=device)
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        table[start : start + len(part)] = torch.from_numpy(kept[part])
    return table
