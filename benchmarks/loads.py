"""The loads of the servers: a name, and the load generator's flags for it."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Load:
    """Requests in flight, or a share of a server's capacity that arrives whatever it answers; and sentences in each."""

    name: str
    batch: int = 1
    concurrency: int | None = None
    percent: int | None = None
    rate: float | None = None
    """Requests a second: `percent` of the capacity, once that is known."""
    deadline_ms: int | None = None
    connections: int | None = None
    """gRPC connections, where not as many as the generator takes by itself."""
    path: str | None = None
    """Method that is called, where not the server's own for sentences."""
    unknown_field: int | None = None
    """1 for calls of gRPC with a field that nobody knows, which our server's C++ leaves to Python."""

    def of(self, capacity: float) -> "Load":
        """Return the same load with its rate."""
        return self if self.percent is None else self.at(capacity * self.percent / 100)

    def at(self, rate: float) -> "Load":
        """Return the same load at so many requests a second."""
        return replace(self, rate=rate)

    def flags(self) -> list[str]:
        """Return the load generator's flags."""
        pace = ["--concurrency", str(self.concurrency)] if self.rate is None else ["--rate", f"{self.rate:.1f}"]
        optional = {
            "--deadline-ms": self.deadline_ms,
            "--connections": self.connections,
            "--path": self.path,
            "--unknown-field": self.unknown_field,
        }
        given = [word for flag, value in optional.items() if value is not None for word in (flag, str(value))]
        return [*pace, "--batch", str(self.batch), *given]


def unary(concurrency: int) -> Load:
    """A load of one sentence a request."""
    return Load(f"1 sentence × {concurrency}", concurrency=concurrency)


def wide(concurrency: int) -> Load:
    """A load of 32 sentences a request."""
    return Load(f"32 sentences × {concurrency}", concurrency=concurrency, batch=32)


DEADLINE_MS = 250
PEAK = unary(128)
"""The load under which our server's rate is its capacity."""
