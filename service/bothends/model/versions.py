"""Finds the bundle to serve in a folder: the folder itself, or the newest of the versions in it."""

import re
from pathlib import Path
from typing import TypeAlias

from ..errors import BundleError
from ..text import printable
from .bundle import CONFIG, HASHED, PARTIAL

Fingerprint: TypeAlias = tuple[object, ...]


_VERSION = re.compile(r"v?\d")
"""Beginning of a version's name."""


def newest(root: Path) -> Path:
    """Return `root` if it is a bundle itself, otherwise the subfolder whose name is the highest version.

    A version's name starts with a number, or with a v and a number, and its numbers compare as numbers: 2026.11.10 is
    newer than 2026.11.9. Without either, returns `root`. Raises BundleError if the folder has other models and no
    version, since nothing says which one to serve.
    """
    try:
        if (root / CONFIG).is_file():
            return root
        folders = [entry for entry in root.iterdir() if _is_complete(entry)]
    except OSError:
        return root
    versions = [folder for folder in folders if _VERSION.match(folder.name)]
    if folders and not versions:
        names = ", ".join(sorted(folder.name for folder in folders))
        raise BundleError(
            f"{root} is no bundle and holds no version, whose name begins with a number; it holds {printable(names)}: "
            "say which"
        )
    return max(versions, key=_by_number, default=root)


def fingerprint(root: Path) -> Fingerprint:
    """Return a value that changes when another bundle is to be served, or its files are written to.

    Reads no file contents.
    """
    try:
        path = newest(root)
    except BundleError:
        path = root
    found: list[object] = [str(path.resolve())]
    for name in (CONFIG, *HASHED):
        try:
            status = (path / name).stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _is_complete(folder: Path) -> bool:
    """Return whether `folder` is a version. Hidden folders, and those that `bundle.write` hasn't finished, aren't."""
    return not folder.name.startswith(".") and folder.suffix != PARTIAL and (folder / CONFIG).is_file()


def _by_number(folder: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", folder.name)]
