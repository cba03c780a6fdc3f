"""Folders of files, on this machine or in an object store, by the names that people give them. Knows no format.

What fsspec knows can be named: a path, `file://`, and with the packages that it asks for `s3://`, `gs://`, `az://`, ….
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from ...errors import BothendsError, FileError

_AT_ONCE = {"abfs", "abfss", "adl", "az", "gcs", "gs", "s3", "s3a"}
"""Where a file is there once all of it is, and never in part. Elsewhere it gets its name when it is whole."""
_PARTIAL = ".partial"
_MAGIC = "*?["


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a name has led to."""

    path: str
    """As its file system calls it."""
    name: str
    """Within the folder that was named, or before the first `*`."""
    size: int


def find(url: str) -> list[Found]:
    """The file, the files of a pattern, or all files in and below a folder; without hidden ones. Raises FileError."""
    with _told(url, "read"):
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
        return [Found(path, name, listed[path]["size"]) for path, name in sorted(names) if not _is_hidden(name)]


def is_within(inner: str, outer: str) -> bool:
    """Whether the folder `inner` is `outer` or below it."""
    inside, outside = (fsspec.core.url_to_fs(url) for url in (inner, outer))
    return type(inside[0]) is type(outside[0]) and f"{inside[1]}/".startswith(f"{outside[1].rstrip('/')}/")


def absolute(url: str) -> str:
    """The same for a process with another working directory."""
    files, path = fsspec.core.url_to_fs(url)
    return str(path) if _is_local(files) else url


class Inputs:
    """What `find` has found, from any process."""

    def __init__(self, url: str) -> None:
        """`url` is what `find` was given."""
        with _told(url, "read"):
            self._files, _ = fsspec.core.url_to_fs(url)

    def fetch(self, path: str, folder: Path) -> Path:
        """The file at `path`: itself where it is on this machine, else a copy in `folder`. Raises FileError."""
        if _is_local(self._files):
            return Path(path)
        copy = folder / path.rpartition("/")[2]
        with _told(path, "read"):
            self._files.get_file(path, str(copy))
        return copy


class OutputFolder:
    """Where outputs go. Names are within it, with `/` in them where they are in folders below."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        with _told(url, "written"):
            self._files, self._root = fsspec.core.url_to_fs(url)
            protocol = self._files.protocol
        self.is_local = _is_local(self._files)
        self._at_once = bool(_AT_ONCE & ({protocol} if isinstance(protocol, str) else set(protocol)))

    def full(self, name: str) -> str:
        """`name` for a person; of a folder on this machine, the path."""
        return f"{self.url}/{name}"

    def local(self, name: str) -> Path:
        """Where `name` is on this machine, in a folder that there is now. Raises FileError."""
        path = Path(self._root) / name
        with _told(str(path), "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def holds(self, name: str) -> bool:
        """Whether it is there. Raises FileError where that can't be known."""
        with _told(self.full(name), "read"):
            self._files.invalidate_cache()
            return bool(self._files.exists(self._path(name)))

    def read(self, name: str) -> bytes | None:
        """Its content; None where there is none. Raises FileError."""
        with _told(self.full(name), "read"):
            try:
                content: bytes = self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None
            return content

    def write(self, name: str, content: bytes) -> None:
        """Let it hold `content`: all of it, or what it held. Raises FileError."""
        with _told(self.full(name), "written"), self._whole(name) as path:
            self._files.pipe_file(path, content)

    def put(self, file: Path, name: str) -> None:
        """Let it be what `file` is: all of it, or what it was. Raises FileError."""
        with _told(self.full(name), "written"), self._whole(name) as path:
            self._files.put_file(str(file), path)

    def remove(self, name: str) -> None:
        """Let it not be there. Raises FileError."""
        if self.holds(name):
            with _told(self.full(name), "removed"):
                self._files.rm_file(self._path(name))

    @contextmanager
    def _whole(self, name: str) -> Iterator[str]:
        """Where to write what becomes `name`."""
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
    """As other readers of such folders have it: what begins so is about files, and holds no rows."""
    return any(part.startswith((".", "_")) for part in name.split("/"))


@contextmanager
def _told(url: str, what: str) -> Iterator[None]:
    """Any error is a FileError about `url`: each file system raises its own kinds, of which OSError is one."""
    try:
        yield
    except BothendsError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        raise FileError(f"{url} can't be {what}: {reason}") from error
