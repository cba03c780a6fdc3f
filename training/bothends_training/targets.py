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
        self._of_families = dataset.of_families
        self._tables: list[Tensor] | None = None
        if device.type != "cpu" if are_resident is None else are_resident:
            self._tables = [resident(vectors.kept, vectors.rows, device) for vectors in dataset.vectors]
            self._centres = [
                None if vectors.centre is None else send(vectors.centre, device) for vectors in dataset.vectors
            ]

    def of(self, texts: NDArray[np.int64]) -> list[Tensor | None]:
        """Return each teacher's vectors of the texts with these numbers (int64 [texts]), float32 [texts, its
        dimension]; None if it lacks some.

        A teacher of families alone has zeros for what it lacks, and is None if it lacks all.
        """
        return [
            self._filled(number, found[texts]) if alone else self._whole(number, found[texts])
            for number, (found, alone) in enumerate(zip(self._places, self._of_families, strict=True))
        ]

    def _whole(self, teacher: int, rows: NDArray[np.int64]) -> Tensor | None:
        return self._read(teacher, rows) if rows.min() >= 0 else None

    def _filled(self, teacher: int, rows: NDArray[np.int64]) -> Tensor | None:
        if rows.max() < 0:
            return None
        return self._read(teacher, np.maximum(rows, 0)) * send(rows >= 0, self._device).unsqueeze(1)

    def _read(self, teacher: int, rows: NDArray[np.int64]) -> Tensor:
        if self._tables is None:
            return torch.from_numpy(self._vectors[teacher][rows])
        found = self._tables[teacher].index_select(0, send(rows, self._device)).float()
        centre = self._centres[teacher]
        return found if centre is None else found - centre


def resident(kept: NDArray[np.float16], rows: NDArray[np.int64], device: torch.device) -> Tensor:
    """Copy the rows of `kept` (float16 [all rows, dimension], mapped from a file) with the numbers `rows` to the memory
    of `device`, float16 [rows, dimension].
    """
    table = torch.empty(len(rows), kept.shape[1], dtype=torch.float16, device=device)
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        table[start : start + len(part)] = torch.from_numpy(kept[part])
    return table
