"""Runs of toy recipes: one taken to its end, one killed on the way, and two compared bit for bit."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.progress import Progress

from bothends_training import train
from bothends_training.recipe import Recipe
from bothends_training.student import Run
from bothends_training.train import STATE
from tests.support import toy

EVERYTHING: dict[str, Any] = {
    "teachers": [
        toy.teacher(),
        toy.teacher(max_tokens=5).model_copy(update={"name": "few", "sentences": 150}),
        toy.teacher(max_tokens=4).model_copy(update={"name": "kin", "families": "only", "centred": True}),
    ],
    **tomllib.loads("""
        batches = { size = 16, bucket = 2, neighbourhoods = 2, share = 0.5, per_batch = 2 }
        average_decay = 0.5
        precision = "bfloat16"
        [corpus]
        path = "corpus.txt"
        sentences = 1000
        near_match = 0.8
        scrambled = 0.3
        varied = 0.3
        composed = 0.3
        scenes = 0.1
        swapped = 0.3
        introduced = 0.5
        misspelt = 0.2
        [loss]
        family_weight = 1
        nested = [4, 8]
        nested_weight = 0.3
    """),
}
"""A recipe's options, all at once."""


def run(recipe: Recipe, folder: Path, out: Path) -> list[dict[str, float]]:
    """Train by `recipe` into `out`, as the command does, whatever torch's random numbers were up to before."""
    torch.seed()
    return train.train(recipe, folder, out, folder / "cache", Progress())


def state(out: Path) -> dict[str, Any]:
    """The state that a run left to go on from, but for the time it took."""
    loaded: dict[str, Any] = torch.load(out / STATE, weights_only=True)
    assert loaded.pop("seconds") > 0
    return loaded


def assert_same(one: Any, other: Any) -> None:
    """Check that both are the same bit for bit, through dicts and lists of tensors and numbers."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


class Kill(BaseException):
    """A stand-in for SIGKILL: nothing in the code can catch it by mistake."""


def kill_in_step(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the process before step `number` (from 0) is taken."""
    real: Callable[..., torch.Tensor] = train.step

    def step(dataset: Any, rows: Any, run: Run, *rest: Any) -> torch.Tensor:
        if run.step == number:
            raise Kill
        return real(dataset, rows, run, *rest)

    monkeypatch.setattr(train, "step", step)


def kill_in_save(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the process in save `number` (from 0), its checkpoint written, half of its state too."""
    real = torch.save
    saved = list[Path]()

    def save(content: Any, file: Path) -> None:
        if len(saved) == number:
            file.write_bytes(b"half of it")
            raise Kill
        saved.append(file)
        real(content, file)

    monkeypatch.setattr(torch, "save", save)
