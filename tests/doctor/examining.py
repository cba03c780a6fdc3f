"""Examines a file with doctor, in this process."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from bothends_doctor.command import doctor
from bothends_doctor.examine import Examination, examine
from bothends_doctor.loading import open_model
from bothends_doctor.mistakes import reference


def look(file: Path, state_dict: Path | None = None) -> Examination:
    model = open_model(file)
    return examine(model, reference.load(state_dict, model.shapes) if state_dict else None)


def mistakes(file: Path, state_dict: Path | None = None) -> list[str]:
    return [diagnosis.key for diagnosis in look(file, state_dict).findings.diagnoses]


def save(weights: dict[str, NDArray[np.float32]], file: Path) -> Path:
    torch.save({name: torch.from_numpy(array) for name, array in weights.items()}, file)
    return file


def fact(examined: Examination, about: str) -> Any:
    return next(fact for fact in examined.findings.facts if fact.about == about)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(doctor, [str(argument) for argument in arguments], env={"COLUMNS": "100"})


class RunsCode:
    """An object that runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))
