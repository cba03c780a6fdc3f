"""Follows a recipe through all of its stages: first the recipes whose checkpoints it begins with, then its own."""

from pathlib import Path
from typing import Any

from rich.progress import Progress

from bothends_export import checkpoint

from . import recipe as recipes
from .errors import RecipeError
from .recipe import Recipe
from .train import train


def train_stages(path: Path, out: Path, cache: Path, progress: Progress) -> list[dict[str, float]]:
    """Follow the recipe at `path`, into `out`, after those that it begins with, each into the place that it names.

    Whatever is done already is left as it is, and what was stopped goes on. Returns the history of the last stage, as
    `train` does. Raises RecipeError where a stage can't begin, or recipes begin with each other.
    """
    for stage, index in unfinished(path, cache).items():
        progress.console.print(f"{stage.stem}, into {index}", highlight=False)
        train(recipes.read(stage), stage.parent, index, cache, progress)
    return train(recipes.read(path), path.resolve().parent, out, cache, progress)


def unfinished(path: Path, cache: Path, above: tuple[Path, ...] = ()) -> dict[Path, Path]:
    """The recipes to follow before the one at `path`, in order, and where each leaves its checkpoint.

    Raises RecipeError where recipes begin with each other, and where a start isn't there that no recipe makes: before
    hours go into other stages.
    """
    path = path.resolve()
    if path in above:
        raise RecipeError(f"{path} begins with what it makes itself")
    found: dict[Path, Path] = {}
    for start in recipes.read(path).start:
        index = start.place(path.parent, cache)
        if start.recipe is None:
            start.locate(path.parent, cache)
        elif not is_done(stage := (path.parent / start.recipe).resolve(), index):
            found |= unfinished(stage, cache, (*above, path))
            found[stage] = index
    return found


def is_done(stage: Path, place: Path) -> bool:
    """Return whether an encoder lies at `place` that needn't be made: a bundle, or what the recipe `stage` ends with.

    Raises RecipeError where the checkpoint is another recipe's.
    """
    if not (place / checkpoint.CONFIG).exists():
        return False
    story = _story(place)
    if story is None:
        return True
    plan = recipes.read(stage)
    if Recipe.model_validate(story["recipe"]) != plan:
        raise RecipeError(f"{place} holds a run of another recipe than {stage} is now; remove that folder")
    return bool(story["step"] == plan.optimisation.steps)


def _story(place: Path) -> dict[str, Any] | None:
    """What training tells of a checkpoint; None of a bundle, and of what was trained elsewhere."""
    if not (place / checkpoint.WEIGHTS).exists():
        return None
    return checkpoint.load(place).config.training or None
