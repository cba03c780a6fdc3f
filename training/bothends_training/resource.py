"""Finds a recipe's files: beside the recipe, in an installed package, or in a zip that comes in parts."""

import importlib.metadata
import zipfile
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .archive import unpacked
from .errors import RecipeError


class Part(BaseModel):
    """A part of a recipe: it can't be changed, and has no other keys than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Resource(Part):
    """A file or folder: `path` alone is relative to the recipe; with `package`, to where that distribution installs;
    with `parts`, to the root of the zip that they make when joined.
    """

    path: str
    package: str | None = None
    parts: tuple["Resource", ...] = Field((), description="one zip's parts in order, as several packages carry them")

    def place(self, folder: Path, cache: Path) -> Path:
        """The absolute path, whether anything is there or not; joined parts are unpacked in `cache`.

        Raises RecipeError where the package isn't installed, or the parts make no zip.
        """
        return (self._base(folder, cache) / self.path).resolve()

    def locate(self, folder: Path, cache: Path) -> Path:
        """The same path. Raises RecipeError where nothing is there, too."""
        found = self.place(folder, cache)
        if not found.exists():
            raise RecipeError(f"{found} is missing; the recipe names it")
        return found

    def _base(self, folder: Path, cache: Path) -> Path:
        if self.parts:
            found = [part.locate(folder, cache) for part in self.parts]
            try:
                return unpacked(found, cache)
            except (zipfile.BadZipFile, OSError) as error:
                raise RecipeError(f"{found[0]} and the parts after it can't be unpacked: {error}") from error
        if self.package is None:
            return folder
        try:
            return Path(str(importlib.metadata.distribution(self.package).locate_file("")))
        except importlib.metadata.PackageNotFoundError:
            raise RecipeError(f"the package {self.package} isn't installed; pip install 'bothends[teachers]'") from None

    @model_validator(mode="after")
    def _one_base(self) -> Self:
        if self.parts and self.package:
            raise ValueError("a path is in a package or in joined parts, not in both")
        return self
