"""Reads the parts of an AllenNLP model: packed (`model.tar.gz`), in a folder, or its weights alone.

Only the parts that are read are unpacked.
"""

import gzip
import io
import json
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from bothends.text import printable

from ..source import SourceError, WeightsFile
from .file import open_weights
from .floats import check_expansion

_CONFIG = "config.json"
_WEIGHTS = ("weights.th", "best.th")
_VOCABULARY = "vocabulary"
_BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True)
class Archive:
    """Parts of an AllenNLP model."""

    source: Path
    weights: WeightsFile
    config: dict[str, Any] | None
    """Content of config.json; None where only weights came."""
    vocabulary: Path | None
    """Folder of its words' rows."""


def is_archive(source: Path) -> bool:
    """Return True if `source` is a packed model or a folder of one."""
    if source.is_dir():
        return (source / _CONFIG).is_file()
    try:
        with _opened(source) as content:
            return content.read(_BLOCK_BYTES)[257:262] == b"ustar"
    except (OSError, EOFError, zlib.error):
        return False


@contextmanager
def unpacked(source: Path, vocabulary: Path | None) -> Iterator[Archive]:
    """Yield the parts of the model at `source`; the folder `vocabulary` takes precedence over its own.

    Raises SourceError.
    """
    if vocabulary is not None and not vocabulary.is_dir():
        raise SourceError(f"{vocabulary} is no folder; a vocabulary of AllenNLP's is one, with a tokens.txt in it")
    if source.is_dir():
        yield _of_folder(source, source, vocabulary)
    elif is_archive(source):
        with tempfile.TemporaryDirectory() as scratch:
            _unpack(source, Path(scratch))
            yield _of_folder(Path(scratch), source, vocabulary)
    else:
        yield Archive(source, open_weights(source), None, vocabulary)


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than `check_expansion` lets a file unpack to, before it unpacks that."""

    def __init__(self, stream: BinaryIO, source: Path) -> None:
        self._stream, self._source, self._given = stream, source, 0

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes, or the rest. Raises SourceError if the part is larger than it may be."""
        check_expansion(self._given + max(0, size), self._source)
        content = self._stream.read(size)
        self._given += len(content)
        return content

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()
        super().close()


def _opened(source: Path) -> _Bounded:
    """Open a tar archive, or one that is packed with gzip, as AllenNLP's are."""
    with source.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
    return _Bounded(cast("BinaryIO", gzip.open(source) if is_packed else source.open("rb")), source)


def _unpack(source: Path, folder: Path) -> None:
    """Write the parts that are read, and no other member, into `folder`; all together within `check_expansion`."""
    unpacked_bytes = 0
    try:
        with _opened(source) as content, tarfile.open(fileobj=content, mode="r|") as archive:
            for member in archive:
                check_expansion(member.offset_data + member.size, source)
                path = PurePosixPath(member.name)
                is_part = path.name == member.name.removeprefix("./") and path.name in (_CONFIG, *_WEIGHTS)
                is_words = path.parent.name == _VOCABULARY and len(path.parts) == 2 and path.suffix == ".txt"
                if not member.isfile() or not (is_part or is_words):
                    continue
                unpacked_bytes += member.size
                check_expansion(unpacked_bytes, source)  # a sparse one has more than stands in the archive
                stream = archive.extractfile(member)
                assert stream is not None  # noqa: S101  a regular file has one
                file = folder / path.name if is_part else folder / _VOCABULARY / path.name
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(stream.read())
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{source} is damaged, cut off perhaps: {printable(error)}") from error


def _of_folder(folder: Path, source: Path, vocabulary: Path | None) -> Archive:
    weights = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if weights is None or not (folder / _CONFIG).is_file():
        missing = _CONFIG if weights else " nor ".join(_WEIGHTS)
        raise SourceError(f"{source} has no {missing}; an AllenNLP model holds config.json, weights.th and vocabulary/")
    own = folder / _VOCABULARY
    try:
        read = open_weights(weights)
    except SourceError as error:
        raise SourceError(str(error).replace(str(folder), str(source))) from error  # its scratch folder says nothing
    return Archive(source, read, _config(folder / _CONFIG, source), vocabulary or (own if own.is_dir() else None))


def _config(file: Path, source: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceError(f"{source}: {_CONFIG} is no JSON: {printable(error)}") from error
    if not isinstance(config, dict):
        raise SourceError(f"{source}: {_CONFIG} holds no object")
    return config
