"""Teachers' vectors of a batch: those that lie in a device's memory are those of the files."""

from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from bothends_training.dataset import prepare
from bothends_training.targets import Targets
from tests.support import toy

CPU = torch.device("cpu")


def test_vectors_in_a_devices_memory_are_those_of_the_files(folder: Path) -> None:
    """Both give the same numbers in float32, of one teacher or of several, and none where a text lacks some; what stays
    in memory is float16.
    """
    some = toy.teacher().model_copy(update={"sentences": 120})
    kin = toy.teacher(max_tokens=4).model_copy(update={"name": "kin", "families": "only", "centred": True})
    copied = {"path": "corpus.txt", "sentences": 1000, "misspelt": 0.2}
    recipe = toy.recipe(corpus=copied, teachers=[some, toy.teacher(max_tokens=5), kin])
    dataset = prepare(recipe, folder, folder / "cache", Progress())
    read, resident = (Targets(dataset, CPU, are_resident=choice) for choice in (False, True))
    copied_and_not = [*np.flatnonzero(dataset.places[2] >= 0)[:3], int(np.argmin(dataset.places[2]))]
    for rows in ([5, 0, 119], [119, 120], [299], copied_and_not):
        both = read.of(np.array(rows)), resident.of(np.array(rows))
        for one, other in zip(*both, strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert one.dtype == other.dtype == torch.float32
                assert torch.equal(one, other)
