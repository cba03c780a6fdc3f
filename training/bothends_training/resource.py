"""Finds a recipe's files: in the recipe's folder, in an installed package, or in a zip that comes in parts."""

import hashlib
import importlib.metadata
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .errors import RecipeError


class Part(BaseModel):
    """Part of a recipe; it is immutable and rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Resource(Part):
    """File or folder that a recipe names.

    `path` alone is relative to the recipe; with `package`, to where that distribution is installed; with `parts`, to
    the root of the zip that these files form when joined.
    """

    path: str
    package: str | None = None
    parts: tuple["Resource", ...] = Field((), description="one zip's parts in order, as several packages carry them")

    def path_in(self, folder: Path, cache: Path) -> Path:
        """Return the absolute path, whether or not anything is there; joined parts are unpacked in `cache`.

        Raises RecipeError if the package isn't installed, or the parts form no zip.
        """
        return (self._base(folder, cache) / self.path).resolve()

    def locate(self, folder: Path, cache: Path) -> Path:
        """Return what `path_in` returns. Raises RecipeError also if nothing is there."""
        found = self.path_in(folder, cache)
        if not found.exists():
            raise RecipeError(f"{found} is missing; the recipe names it")
        return found

    def _base(self, folder: Path, cache: Path) -> Path:
        if self.parts:
            found = [part.locate(folder, cache) for part in self.parts]
            try:
                return _unpacked(found, cache)
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


def _unpacked(parts: Sequence[Path], cache: Path) -> Path:
    """The folder in `cache`, named by the parts' bytes, that holds what the joined `parts` do.

    It is there whole or not at all, also where several processes unpack it. Raises zipfile.BadZipFile or OSError if
    the parts, in this order, make no zip.
    """
    folder = cache / f"zip-{_digest(parts)}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        joined, content = Path(scratch) / "joined.zip", Path(scratch) / "content"
        with joined.open("wb") as whole:  # a zip's table of contents is at its end: it can't be read as a stream
            for part in parts:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, whole)
        with zipfile.ZipFile(joined) as opened:
            opened.extractall(content)
        try:
            content.replace(folder)
        except OSError:
            if not folder.exists():  # else another process has unpacked the same meanwhile
                raise
    return folder


def _digest(parts: Sequence[Path]) -> str:
    """First 16 hexadecimal digits of the joined parts' SHA-256, as if they were one file."""
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as piece:
            while block := piece.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]
