"""Writes blocks as JSON lines with orjson; Python's json module takes many times as long for arrays of numbers."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from .block import Block

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


class JsonWriter:
    """Writer of one JSON line for each embedded row: `row`, kept columns, `embedding`, `token_count`, `truncated`.

    Each float32 has the fewest digits that read back as the same float32.
    """

    sealed_suffix = ""

    def __init__(self, keep: Sequence[str]) -> None:
        self._keep = keep

    def head(self) -> bytes:
        """Return nothing: lines need no header."""
        return b""

    def body(self, block: Block) -> Iterator[bytes]:
        """Yield the lines of `block`."""
        if block.found is None:
            return
        found = block.found
        scales = None if found.scales is None else found.scales.tolist()
        for index, place in enumerate(block.good):
            line: dict[str, Any] = {"row": block.first + place}
            line |= zip(self._keep, block.rows[place].kept, strict=True)
            line["embedding"] = found.rows[index]
            line["token_count"], line["truncated"] = found.token_counts[index], found.truncated[index]
            if scales is not None:
                line["scale"] = scales[index]
            yield self._line(line)

    def seal(self, partial: Path, sealed: Path, rows: int) -> None:
        """Do nothing: the file is complete already."""

    def _line(self, line: dict[str, Any]) -> bytes:
        try:
            return orjson.dumps(line, default=_word, option=_OPTIONS)
        except TypeError:  # a number beyond 64 bits, which JSON may hold, and Python's own module writes
            for name in self._keep:
                line[name] = orjson.Fragment(json.dumps(line[name], default=_word))
            return orjson.dumps(line, default=_word, option=_OPTIONS)


def _word(value: object) -> str:
    """Write a value that JSON has no type for: bytes as base64, anything else as Python does."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
