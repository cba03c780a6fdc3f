"""Bounds the bytes of HTTP requests that are on their way, and decides which request gives way where there are too
many.

It is used by one thread, the event loop's.
"""

from collections import Counter
from collections.abc import Callable
from typing import Self

HTTP_BYTES = 64 << 20
"""Most bytes of HTTP's bodies that haven't come whole. With gRPC's requests that weren't taken (the native transport's
`held_total_bytes`), and what waits to be parsed (backlog.py), that is less than 256 MiB."""


class ByteBudget:
    """Bound on the bytes of all requests that are on their way."""

    def __init__(self, max_bytes: int = HTTP_BYTES) -> None:
        self._max_bytes = max_bytes
        self._arrivals: set[Arrival] = set()
        self.held_bytes = 0

    def arrival(self, network: bytes, shed: Callable[[], None]) -> "Arrival":
        """Count a request of `network` while it comes, in `with`; `shed` is called if it is to give way."""
        return Arrival(self, network, shed)

    def add(self, arrival: "Arrival", size: int) -> None:
        """Count bytes that have come, and have requests give way until all fit: the largest of who has the most."""
        arrival.bytes += size
        self.held_bytes += size
        self._arrivals.add(arrival)
        while self.held_bytes > self._max_bytes and len(self._arrivals) > 1:
            self._shed_one()

    def remove(self, arrival: "Arrival") -> None:
        """Count off a request."""
        if arrival in self._arrivals:
            self._arrivals.remove(arrival)
            self.held_bytes -= arrival.bytes

    def _shed_one(self) -> None:
        held: Counter[bytes] = Counter()
        for arrival in self._arrivals:
            held[arrival.network] += arrival.bytes
        largest = max(self._arrivals, key=lambda arrival: (held[arrival.network], arrival.bytes))
        self.remove(largest)
        largest.is_shed = True
        largest.shed()


class Arrival:
    """One request while it comes."""

    def __init__(self, budget: ByteBudget, network: bytes, shed: Callable[[], None]) -> None:
        self._budget = budget
        self.network = network
        self.shed = shed
        self.bytes = 0
        self.is_shed = False
        """True once it gave way: what comes of it isn't wanted."""

    def add(self, size: int) -> None:
        """Count bytes of it that have come; a request that gave way has none."""
        if not self.is_shed:
            self._budget.add(self, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.remove(self)
