"""HPACK's bomb without end: headers of which a byte stands for kilobytes once they are unpacked."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

from ..fields import entry, unindexed
from ..hostile import HEADERS, begun, headers
from .wire import Answer, Wire

_NAMES, _CALLS = 15_000, 16
"""How often a call names the entry: its headers fill a frame. And calls of a piece."""


@dataclass(frozen=True)
class Bomb:
    """What a flood sends that wants no answer. The entry that is named has so many bytes.

    Its connection is ended after so many pieces, and another opened; or never, where none are given.
    """

    entry_bytes: int
    pieces: int | None = None
    is_grpc = True

    def by(self, _: str | None) -> "Bomb":
        """It has no key."""
        return self

    def wire(self) -> Wire:
        return _BombWire(islice(_pieces(self.entry_bytes), self.pieces))


class _BombWire:
    """A wire.Wire that has always more to say, or ends its connection, and doesn't listen."""

    goes_on = True

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def ask(self) -> None:
        pass

    def to_send(self) -> bytes:
        piece = next(self._pieces, None)
        if piece is None:
            raise ConnectionAbortedError
        return piece

    def receive(self, came: bytes) -> list[Answer]:
        return []


def _pieces(entry_bytes: int) -> Iterator[bytes]:
    kept = unindexed(HEADERS)  # what is indexed would push the entry out
    yield begun(headers(1, kept + entry(b"x", b"y" * entry_bytes), "END_HEADERS", "END_STREAM"))
    block = kept + b"\xbe" * _NAMES
    for first in count(3, 2 * _CALLS):
        streams = range(first, first + 2 * _CALLS, 2)
        yield b"".join(headers(stream, block, "END_HEADERS", "END_STREAM") for stream in streams)
