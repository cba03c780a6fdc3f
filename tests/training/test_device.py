"""Training on a GPU: the same as on a CPU, and nothing in a step that makes the host wait."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bothends_training import train
from bothends_training.student import Run
from tests.support import toy

from .runs import EVERYTHING, run

AVERAGED = {**EVERYTHING, "precision": "float32", "token_dropout": 0.0}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_no_step_waits_for_the_gpu(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """torch refuses each call that would have the host wait for the device, and no step makes one; in float32 the run
    ends near a CPU's.
    """
    real: Callable[..., torch.Tensor] = train.step

    def step(job: Any, rows: Any, taught: Run) -> torch.Tensor:
        torch.cuda.set_sync_debug_mode("error")
        try:
            return real(job, rows, taught)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(train, "step", step)
    recipe = toy.recipe(**{**AVERAGED, "precision": precision}, steps=6)
    history = run(recipe, folder, tmp_path / "gpu")
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    expected = run(recipe, folder, tmp_path / "cpu")
    assert history[-1]["loss"] == pytest.approx(expected[-1]["loss"], rel=1e-3 if precision == "float32" else 0.05)
