"""Training on a GPU: the same as on a CPU, and nothing in a step that makes the host wait."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bothends_training import student, train
from bothends_training.ragged_lstm import PackedLSTM
from bothends_training.targets import Targets
from tests.support import toy

from .runs import EVERYTHING, run, state

AVERAGED = {**EVERYTHING, "precision": "float32", "token_dropout": 0.0}


def test_the_way_of_a_gpu_makes_the_weights_of_a_cpus(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed batches and resident vectors, tried on the CPU, lead a run of every option to the same weights but for
    rounding.
    """
    recipe = toy.recipe(**AVERAGED, steps=6)
    run(recipe, folder, tmp_path / "cpu")
    monkeypatch.setattr(student, "RaggedLSTM", PackedLSTM)
    monkeypatch.setattr(train, "Targets", lambda dataset, placed: Targets(dataset, placed, are_resident=True))
    run(recipe, folder, tmp_path / "gpu")
    for name, weight in state(tmp_path / "cpu")["average"]["encoder"].items():
        torch.testing.assert_close(state(tmp_path / "gpu")["average"]["encoder"][name], weight, rtol=0, atol=2e-3)


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

    def step(job: Any, rows: Any, taught: train.Run) -> torch.Tensor:
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
