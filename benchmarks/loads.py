"""What is asked of the servers: a name, and how the load generator is to ask. Measures nothing."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Load:
    """Requests in flight, or a share of a server's capacity that arrives whatever it answers; and sentences in each."""

    name: str
    batch: int = 1
    concurrency: int | None = None
    percent: int | None = None
    rate: float | None = None
    """Requests a second; of `percent`, once the capacity is known."""
    deadline_ms: int | None = None

    def of(self, capacity: float) -> "Load":
        """The same with its rate."""
        return self if self.percent is None else replace(self, rate=capacity * self.percent / 100)

    def flags(self) -> list[str]:
        """Of the load generator."""
        pace = ["--concurrency", str(self.concurrency)] if self.rate is None else ["--rate", f"{self.rate:.1f}"]
        deadline = [] if self.deadline_ms is None else ["--deadline-ms", str(self.deadline_ms)]
        return [*pace, "--batch", str(self.batch), *deadline]


def unary(concurrency: int) -> Load:
    """One sentence a request."""
    return Load(f"1 sentence × {concurrency}", concurrency=concurrency)


def wide(concurrency: int) -> Load:
    """32 sentences a request."""
    return Load(f"32 sentences × {concurrency}", concurrency=concurrency, batch=32)


def offered(percent: int) -> Load:
    """Single sentences at random times, `percent` of capacity, each with a deadline."""
    return Load(f"open loop {percent} %", percent=percent, deadline_ms=DEADLINE_MS)


DEADLINE_MS = 250
PEAK = unary(128)
"""What our server answers here is its capacity."""
CLOSED = (unary(1), unary(8), unary(32), wide(1), wide(4), wide(8), PEAK)
FEWER = (unary(1), unary(32), wide(4), PEAK)
"""Of the closed loops, those that tell most. A run of all would take too long to be of one machine."""
OPEN = tuple(offered(percent) for percent in (50, 80, 100, 150, 200))
OVERLOAD = OPEN[-1]
