"""Reads lines as bytes, each of bounded length, from a file, a compressed file or standard input."""

import os
import select
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path
from typing import Self, cast

from ...errors import FileError

MAX_LINE_BYTES = 16 << 20
_CHUNK = 1 << 16
_PAUSE_S = 0.05
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Source:
    """Input that is read once, from its start. Close it, or use it in `with`."""

    def __init__(self, path: Path | None) -> None:
        """Open the file at `path`, or standard input for None. Raises FileError."""
        self.path = path
        self.name = "standard input" if path is None else str(path)
        self._files = ExitStack()
        try:
            raw = cast(BufferedReader, sys.stdin.buffer) if path is None else self._files.enter_context(path.open("rb"))
            self.total = os.fstat(raw.fileno()).st_size if path is not None and path.is_file() else None
        except OSError as error:
            raise FileError(f"{self.name} can't be read: {error.strerror}") from None
        self._raw = raw
        self._stream: BufferedReader | GzipFile = raw
        if path is not None and path.suffix == ".gz":
            self._stream = self._files.enter_context(GzipFile(fileobj=raw))

    def position(self) -> int:
        """Return how many of the file's `total` bytes have been read; for a compressed file, compressed bytes."""
        return self._raw.tell() if self.total is not None else 0

    def lines(self) -> Iterator[bytes | None]:
        """Yield each line without its newline; None when a pipe has nothing more to give yet.

        A line longer than MAX_LINE_BYTES is cut shortly after that length, so that its excess is noticed.
        """
        rest, is_first = bytearray(), True
        while True:
            if self._pauses():
                yield None
            chunk = self._read()
            if is_first:
                chunk, is_first = self._without_bom(chunk), False
            elif not chunk:
                break
            head, newline, tail = chunk.partition(b"\n")
            if len(rest) <= MAX_LINE_BYTES:
                rest += head
            if newline:
                *whole, last = tail.split(b"\n")
                yield bytes(rest)
                yield from whole
                rest = bytearray(last)
        if rest:
            yield bytes(rest)

    def close(self) -> None:
        """Close the file."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> bytes:
        try:
            return self._stream.read1(_CHUNK)
        except OSError as error:  # gzip's own are some too
            raise FileError(f"{self.name} can't be read: {error.strerror or error}") from None
        except (EOFError, zlib.error) as error:
            raise FileError(f"{self.name} is a broken gzip file: {error}") from None

    def _without_bom(self, chunk: bytes) -> bytes:
        if chunk.startswith(_UTF16_BOMS):
            raise FileError(f"{self.name} is UTF-16; convert it with iconv -f UTF-16 -t UTF-8")
        return chunk.removeprefix(_UTF8_BOM)

    def _pauses(self) -> bool:
        """Return whether nothing comes for a moment, as from a pipe whose writer is slower than this."""
        return self.path is None and not select.select([self._raw], [], [], _PAUSE_S)[0]
