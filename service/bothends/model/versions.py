"""A folder to the bundle in it that is to be served: itself, or the newest of the versions that it holds."""

import re
from pathlib import Path
from typing import TypeAlias

from .bundle import CONFIG, HASHED, PARTIAL

Fingerprint: TypeAlias = tuple[object, ...]


def newest(root: Path) -> Path:
    """Return `root` where it is a bundle itself, else the folder in it whose name is the highest version.

    Numbers in names count as numbers: 2026.11.10 is newer than 2026.11.9. Where there is neither, `root`.
    """
    try:
        if (root / CONFIG).is_file():
            return root
        folders = [entry for entry in root.iterdir() if _is_complete(entry)]
    except OSError:
        return root
    return max(folders, key=_by_number, default=root)


def fingerprint(root: Path) -> Fingerprint:
    """Value that changes when another bundle is to be served, or its files were written to. Reads none of them."""
    path = newest(root)
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
