"""HPACK's bomb as a flood sends it: again at once wherever its connection is ended."""

import random
from dataclasses import dataclass

from ..hostile import hpack_bomb
from .wire import Answer, Wire


@dataclass(frozen=True)
class Bomb:
    """What a flood asks for that wants no answer."""

    is_grpc = True

    def by(self, _: str | None) -> "Bomb":
        """It has no key."""
        return self

    def wire(self) -> Wire:
        return _BombWire()


class _BombWire:
    """A wire.Wire that says all it has at once, and doesn't listen."""

    def __init__(self) -> None:
        self._unsent = b"".join(hpack_bomb(random.Random(0)))

    def ask(self) -> None:
        pass

    def to_send(self) -> bytes:
        unsent, self._unsent = self._unsent, b""
        return unsent

    def receive(self, came: bytes) -> list[Answer]:
        return []
