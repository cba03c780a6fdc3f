"""A caller who knows the right answer, and is as cheap as Python allows: one request, again and again."""

import socket
import time
from typing import NamedTuple

from ..floods import Address
from .asks import Ask
from .wire import OK, Wire

RIGHT, WRONG, LOST = "right", "wrong", "lost"
"""Kinds of calls: answered by the bytes of before the attack; by others; not at all. A refusal's is what it says."""
TIMEOUT_S = 10.0
_READ_BYTES = 1 << 18


class Call(NamedTuple):
    """One call: when it began by the machine's monotonic clock, how long it took, and what became of it."""

    began: float
    seconds: float
    kind: str


class Caller:
    """Calls from one address, on one connection while it lasts. Opening it is a part of the call that finds none."""

    def __init__(self, ask: Ask, address: Address, source: str, *, right: bytes | None = None) -> None:
        self._ask, self._address, self._source = ask, address, source
        self._right = right
        self._socket: socket.socket | None = None
        self._wire: Wire | None = None

    def learn(self) -> bytes:
        """Ask once, and take the answer for the right one from then on. Raises OSError and AssertionError."""
        status, self._right = self._answer()
        assert status in OK, self._right
        return self._right

    def call(self) -> Call:
        """Ask once, and say what became of it."""
        began = time.monotonic()
        try:
            status, content = self._answer()
            kind = RIGHT if content == self._right else WRONG
            if status not in OK:
                kind = f"{status}: {content.decode(errors='replace')}"
        except OSError:
            kind = LOST
            self.close()
        return Call(began, time.monotonic() - began, kind)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = self._wire = None

    def _answer(self) -> tuple[str, bytes]:
        if self._socket is None or self._wire is None:
            self._socket = socket.create_connection(self._address, TIMEOUT_S, source_address=(self._source, 0))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._wire = self._ask.wire(keeps=True)
        self._wire.ask()
        self._socket.sendall(self._wire.to_send())
        while True:
            came = self._socket.recv(_READ_BYTES)
            if not came:
                raise ConnectionError
            found = self._wire.receive(came)
            if left := self._wire.to_send():
                self._socket.sendall(left)
            if found:
                return found[0]
