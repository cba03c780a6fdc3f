"""Follows a recipe through all of its stages: first the recipes whose checkpoints it starts from, then its own."""

from pathlib import Path
from typing import Any

from rich.progress import Progress

from bothends_export import checkpoint

from . import recipe as recipes
from .errors import RecipeError
from .recipe import Recipe
from .train import train


def train_stages(path: Path, out: Path, cache: Path, progress: Progress) -> list[dict[str, float]]:
    """Follow the recipe at `path` into `out`, after those that it starts from, each into the folder that it names.

    Finished stages are kept, and a stopped one is continued. Returns the history of the last stage, like `train`.
    Raises RecipeError if a stage can't start, or recipes form a cycle.
    """
    for stage, index in unfinished(path, cache).items():
        progress.console.print(f"{stage.stem}, into {index}", highlight=False)
        train(recipes.read(stage), stage.parent, index, cache, progress)
    return train(recipes.read(path), path.resolve().parent, out, cache, progress)


def unfinished(path: Path, cache: Path, above: tuple[Path, ...] = ()) -> dict[Path, Path]:
    """Return the recipes to follow before the one at `path`, in order, and the folders of their checkpoints.

    Raises RecipeError if recipes form a cycle, or if a start is missing that no recipe makes; that is before hours go
    into other stages.
    """
    path = path.resolve()
    if path in above:
        raise RecipeError(f"{path} begins with what it makes itself")
    found: dict[Path, Path] = {}
    for start in recipes.read(path).start:
        index = start.path_in(path.parent, cache)
        if start.recipe is None:
            start.locate(path.parent, cache)
        elif not is_done(stage := (path.parent / start.recipe).resolve(), index):
            found |= unfinished(stage, cache, (*above, path))
            found[stage] = index
    return found


def is_done(stage: Path, folder: Path) -> bool:
    """Return True if `folder` holds a finished encoder: a bundle, or the final checkpoint of the recipe `stage`.

    Raises RecipeError if the checkpoint is another recipe's.
    """
    if not (folder / checkpoint.CONFIG).exists():
        return False
    story = _story(folder)
    if story is None:
        return True
    plan = recipes.read(stage)
    if Recipe.model_validate(story["recipe"]) != plan:
        raise RecipeError(f"{folder} holds a run of another recipe than {stage} is now; remove that folder")
    return bool(story["step"] == plan.optimisation.steps)


def _story(folder: Path) -> dict[str, Any] | None:
    """Return what a checkpoint says about its training; None for a bundle, or if it was trained elsewhere."""
    if not (folder / checkpoint.WEIGHTS).exists():
        return None
    return checkpoint.load(folder).config.training or None
