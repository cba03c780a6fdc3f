"""Finds and opens files by the names that fsspec supports.

They are paths, `file://`, and with the necessary packages `s3://`, `gs://`, `az://` and others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from ...errors import BothendsError, FileError

_AT_ONCE = {"abfs", "abfss", "adl", "az", "gcs", "gs", "s3", "s3a"}
"""Protocols of stores in which a file is there once all of it is. In others it gets its name when it is whole."""
_PARTIAL = ".partial"
_MAGIC = "*?["


@dataclass(frozen=True, slots=True)
class FoundFile:
    """File that `find` returned."""

    path: str
    """Path in its file system."""
    name: str
    """Name within the folder that was named, or within the folder before the first `*`."""
    size: int
    """Size in bytes."""


def find(url: str) -> list[FoundFile]:
    """Find one file, the files that match a pattern, or all files in and below a folder except hidden ones.

    Raises FileError.
    """
    with _file_errors(url, "read"):
        files, root = fsspec.core.url_to_fs(url)
        if files.isfile(root):
            base, listed = root.rpartition("/")[0], {root: files.info(root)}
        elif files.isdir(root):
            base, listed = root, files.find(root, detail=True)
        elif any(sign in root for sign in _MAGIC):
            base = root[: min(root.find(sign) for sign in _MAGIC if sign in root)].rpartition("/")[0]
            listed = files.glob(root, detail=True)
        else:
            raise FileError(f"{url} can't be read: there is no such file or folder")
        names = ((path, path[len(base) :].lstrip("/")) for path, each in listed.items() if each["type"] == "file")
        return [FoundFile(path, name, listed[path]["size"]) for path, name in sorted(names) if not _is_hidden(name)]


def is_within(inner: str, outer: str) -> bool:
    """Return True if the folder `inner` is `outer` or below it."""
    inside, outside = (fsspec.core.url_to_fs(url) for url in (inner, outer))
    return type(inside[0]) is type(outside[0]) and f"{inside[1]}/".startswith(f"{outside[1].rstrip('/')}/")


def absolute(url: str) -> str:
    """Return a name for the same file that works in a process with another working directory."""
    files, path = fsspec.core.url_to_fs(url)
    return str(path) if _is_local(files) else url


class Inputs:
    """Input files that `find` returned, readable from any process."""

    def __init__(self, url: str) -> None:
        """Open the file system of `url`, which `find` was given. Raises FileError."""
        with _file_errors(url, "read"):
            self._files, _ = fsspec.core.url_to_fs(url)

    def fetch(self, path: str, folder: Path) -> Path:
        """Return a local path for the file at `path`: itself if it is on this machine, otherwise a copy in `folder`.

        Raises FileError.
        """
        if _is_local(self._files):
            return Path(path)
        copy = folder / path.rpartition("/")[2]
        with _file_errors(path, "read"):
            self._files.get_file(path, str(copy))
        return copy


class OutputFolder:
    """Folder of the outputs. Names are relative to it, with `/` for subfolders."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        with _file_errors(url, "written"):
            self._files, self._root = fsspec.core.url_to_fs(url)
            protocol = self._files.protocol
        self.is_local = _is_local(self._files)
        self._at_once = bool(_AT_ONCE & ({protocol} if isinstance(protocol, str) else set(protocol)))

    def full(self, name: str) -> str:
        """Return the full name of an output for people; for a local folder, its path."""
        return f"{self.url}/{name}"

    def local(self, name: str) -> Path:
        """Return the local path of `name`, creating its folder. Raises FileError."""
        path = Path(self._root) / name
        with _file_errors(str(path), "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def holds(self, name: str) -> bool:
        """Return True if `name` exists. Raises FileError if that can't be determined."""
        with _file_errors(self.full(name), "read"):
            self._files.invalidate_cache()
            return bool(self._files.exists(self._path(name)))

    def read(self, name: str) -> bytes | None:
        """Return the content of `name`; None if it doesn't exist. Raises FileError."""
        with _file_errors(self.full(name), "read"):
            try:
                content: bytes = self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None
            return content

    def write(self, name: str, content: bytes) -> None:
        """Write `content` to `name`; after a crash, either the new or the old content is there. Raises FileError."""
        with _file_errors(self.full(name), "written"), self._whole(name) as path:
            self._files.pipe_file(path, content)

    def put(self, file: Path, name: str) -> None:
        """Copy `file` to `name`; after a crash, either the new or the old content is there. Raises FileError."""
        with _file_errors(self.full(name), "written"), self._whole(name) as path:
            self._files.put_file(str(file), path)

    def remove(self, name: str) -> None:
        """Delete `name` if it exists. Raises FileError."""
        if self.holds(name):
            with _file_errors(self.full(name), "removed"):
                self._files.rm_file(self._path(name))

    @contextmanager
    def _whole(self, name: str) -> Iterator[str]:
        """Yield the path to write to; the file becomes `name` when all of it is there."""
        path = self._path(name)
        if self._at_once:
            yield path
            return
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        yield path + _PARTIAL
        self._files.mv(path + _PARTIAL, path)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _is_local(files: Any) -> bool:
    return isinstance(files, fsspec.implementations.local.LocalFileSystem)


def _is_hidden(name: str) -> bool:
    """Return whether `name` is hidden. Other readers of such folders skip the same ones: they hold no rows."""
    return any(part.startswith((".", "_")) for part in name.split("/"))


@contextmanager
def _file_errors(url: str, what: str) -> Iterator[None]:
    """Raise any error as a FileError about `url`, since each file system raises its own types."""
    try:
        yield
    except BothendsError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        raise FileError(f"{url} can't be {what}: {reason}") from error
