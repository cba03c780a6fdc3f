"""Reads the tables of a recipe, merged with those of the recipe that it names as its base."""

import tomllib
from pathlib import Path
from typing import Any

from .errors import RecipeError

_BASE = "base"
_NAME = "name"


def tables(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return all tables of the recipe at `path`, completed by those of its `base`, a file in the same folder. `above`
    are the recipes that led here.

    Raises RecipeError if a file can't be read, or recipes form a cycle.
    """
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is no TOML: {error}") from error
    base = own.pop(_BASE, None)
    if base is None:
        return own
    if not isinstance(base, str) or Path(base).name != base:  # paths in a recipe are relative to its folder
        raise RecipeError(f"{path}: base: the name of a recipe in the same folder, found {base!r}")
    if path.with_name(base) in (*above, path):
        raise RecipeError(f"{path}: base: {base} has this recipe for its own base")
    return laid_over(own, tables(path.with_name(base), (*above, path)))


def laid_over(own: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of `own`, completed by keys that only `base` has. Tables are merged key by key, and tables in
    lists by their names.
    """
    return base | {key: _joined(value, base.get(key)) for key, value in own.items()}


def _joined(own: object, base: object) -> object:
    if isinstance(own, dict) and isinstance(base, dict):
        return laid_over(own, base)
    named, known = _by_name(own), _by_name(base)
    return list(laid_over(named, known).values()) if named and known else own


def _by_name(tables: object) -> dict[str, Any]:
    """The tables of a list by their names; nothing if it isn't a list of such."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) and _NAME in table for table in tables):
        return {}
    return {table[_NAME]: table for table in tables}
