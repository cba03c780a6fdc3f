"""Attackers: many connections of one address that ask again and again, driven by one thread that costs little."""

import socket
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from select import EPOLLIN, EPOLLOUT, epoll
from typing import Protocol

from ..floods import Address
from .aside import Signals
from .wire import OK, Wire

_CONNECT_S, _LOOK_S = 10.0, 0.05
_UNREAD_BYTES, _READ_BYTES = 4096, 1 << 20


class Asked(Protocol):
    """What is asked for, or is sent where nothing is."""

    @property
    def is_grpc(self) -> bool:
        """Whether it goes to gRPC's port."""

    def by(self, key: str | None) -> "Asked":
        """Return the same of a caller who has this key."""

    def wire(self) -> Wire:
        """Make a connection's side of it."""


@dataclass(frozen=True)
class Flood:
    """So many connections, each with so many requests in flight. Who reads asks again, who doesn't asks these alone."""

    ask: Asked
    connections: int
    in_flight: int = 1
    reads: bool = True


@dataclass
class Taken:
    """What an attack did: its answers by status, what refusals said, connections that were ended, and its own cost."""

    sent_bytes: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    cpu_s: float = 0.0


class _Attacker:
    """One connection of a flood. All it does raises OSError where the connection isn't let in, or has ended."""

    def __init__(self, plan: Flood, address: Address, source: str, taken: Taken) -> None:
        self._plan, self._taken = plan, taken
        self._unsent = b""
        self._wire = plan.ask.wire()
        for _ in range(plan.in_flight):
            self._wire.ask()
        self.socket = socket.socket()
        try:
            if not plan.reads:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UNREAD_BYTES)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.settimeout(_CONNECT_S)
            self.socket.bind((source, 0))
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.socket.setblocking(False)

    def send(self) -> int:
        """Send what can be sent; return for which events to wait next."""
        if not (self._unsent and self._wire.goes_on):
            self._unsent += self._wire.to_send()
        with suppress(BlockingIOError):
            sent = self.socket.send(self._unsent) if self._unsent else 0
            self._taken.sent_bytes += sent
            self._unsent = self._unsent[sent:]
        return (EPOLLIN if self._plan.reads else 0) | (EPOLLOUT if self._unsent or self._wire.goes_on else 0)

    def read(self) -> None:
        """Take answers, and ask again for each."""
        came = self.socket.recv(_READ_BYTES)
        if not came:
            raise ConnectionError
        for status, content in self._wire.receive(came):
            self._taken.statuses[status] += 1
            if status not in OK:
                self._taken.words[content.decode(errors="replace")] += 1
            self._wire.ask()


class _Crowd:
    """All connections of a flood. One that ends is opened anew at once, or where that fails, after the next look."""

    def __init__(self, plan: Flood, address: Address, source: str) -> None:
        self.taken = Taken()
        self._made_of = plan, address, source, self.taken
        self._absent = plan.connections
        self._attackers: dict[int, _Attacker] = {}
        self._events = epoll()

    def fill(self) -> None:
        """Open the connections that aren't there, until one isn't let in."""
        with suppress(OSError):
            while self._absent:
                one = _Attacker(*self._made_of)
                try:
                    self._events.register(one.socket.fileno(), one.send())
                except OSError:
                    one.socket.close()
                    raise
                self._attackers[one.socket.fileno()] = one
                self._absent -= 1

    def look(self) -> None:
        """Do what is to be done, or wait for a moment."""
        for number, what in self._events.poll(_LOOK_S):
            one = self._attackers[number]
            try:
                if what & ~EPOLLOUT:
                    one.read()
                self._events.modify(number, one.send())
            except BlockingIOError:
                continue
            except OSError:
                one.socket.close()
                del self._attackers[number]
                self._absent += 1
                self.taken.ended += 1

    def close(self) -> None:
        self._events.close()
        for one in self._attackers.values():
            one.socket.close()


def flood(signals: Signals, plan: Flood, address: Address, source: str) -> Taken:
    """Attack until it is over. It has begun once each connection has sent what is in flight, as far as it was taken."""
    began = time.process_time()
    crowd = _Crowd(plan, address, source)
    crowd.fill()
    signals.begun.set()
    while not signals.over.is_set():
        crowd.look()
        crowd.fill()
    crowd.close()
    crowd.taken.cpu_s = time.process_time() - began
    return crowd.taken
