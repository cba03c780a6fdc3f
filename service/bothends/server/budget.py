"""Bounds the bytes of HTTP requests that are still arriving, and picks the request to drop when there are too many.

Used by the event loop's thread only.
"""

from collections import Counter
from collections.abc import Callable
from typing import Self

HTTP_BYTES = 64 << 20
"""Upper bound on the bytes of incomplete HTTP bodies. Together with gRPC requests that weren't taken (the native
transport's `held_total_bytes`), it is less than 256 MiB."""


class ByteBudget:
    """Bound on the bytes of all HTTP requests that are still arriving."""

    def __init__(self, max_bytes: int = HTTP_BYTES) -> None:
        self._max_bytes = max_bytes
        self._arrivals: set[Arrival] = set()
        self.held_bytes = 0

    def arrival(self, network: bytes, shed: Callable[[], None]) -> "Arrival":
        """Return a context manager that counts a request while it arrives. `network` is its caller's, as
        `sockets.network` has it; `shed` is called to drop the request.
        """
        return Arrival(self, network, shed)

    def add(self, arrival: "Arrival", size: int) -> None:
        """Count `size` bytes that have arrived.

        While the total is over the bound, drop the largest request of the network that holds the most bytes.
        """
        arrival.bytes += size
        self.held_bytes += size
        self._arrivals.add(arrival)
        while self.held_bytes > self._max_bytes and len(self._arrivals) > 1:
            self._shed_one()

    def remove(self, arrival: "Arrival") -> None:
        """Stop counting a request."""
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
    """HTTP request that is still arriving."""

    def __init__(self, budget: ByteBudget, network: bytes, shed: Callable[[], None]) -> None:
        self._budget = budget
        self.network = network
        self.shed = shed
        self.bytes = 0
        self.is_shed = False
        """True once the request was dropped, so that its further bytes aren't wanted."""

    def add(self, size: int) -> None:
        """Count `size` bytes that have arrived. Does nothing for a request that was dropped."""
        if not self.is_shed:
            self._budget.add(self, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.remove(self)
