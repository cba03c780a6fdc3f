"""The servers that are compared: the command that starts each, and the load generator's flags for it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import engines
from bothends.model.bundle import Bundle, default_path
from processes import Process, free_port
from results import MOSEC, OURS, ours

MOSEC_BATCHES = (1, 4, 8, 16, 32)
"""Numbers of requests that mosec batches at most. Its best for a load is the best of these: few requests want a small
number, many a large one, and requests that are lists already want next to none."""
_MOSEC_WAIT_MS = 1
"""mosec's shortest wait for company. Its default of 10 ms lost at every load but one, and drew there."""
HERE = Path(__file__).parent
PEERS = HERE / "peers"
BOTHENDS = Path(sys.executable).parent / "bothends"
BANNER = r"gRPC +\S+:(?P<port>\d+).*HTTP +(?P<url>\S+).*try "
"""Pattern of what our server says once it is ready."""
IMPORTS = {"PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))}
"""The variable with which mosec's program, whose own folder comes first, finds the benchmarks' modules too."""


@dataclass(frozen=True, slots=True)
class Split:
    """Parts of our transport and threads that compute, where not as many as the server takes by itself."""

    shards: int | None = None
    workers: int | None = None

    @property
    def name(self) -> str:
        """Words for them; none where all is the server's own choice."""
        counted = ((self.workers, "worker"), (self.shards, "shard"))
        return ", ".join(f"{count} {what}{'s' * (count > 1)}" for count, what in counted if count)

    def of(self, server: str) -> str:
        """Return the name of that server, so split."""
        return f"{server}, {self.name}" if self.name else server

    def flags(self) -> list[str]:
        """Return the flags of `bothends serve`."""
        counted = {"--workers": self.workers, "--transport-shards": self.shards}
        return [word for flag, count in counted.items() if count for word in (flag, str(count))]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `flags` are the load generator's; `engine` is the one that ours runs on."""

    name: str
    process: Process
    port: int
    flags: tuple[str, ...] = ()
    dimension: int = 0
    engine: str | None = None
    http_port: int = 0
    """Port of ours for HTTP."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()


def start_ours(logs: Path, *flags: str, engine: str | None = None, transport: str | None = None) -> Server:
    """Start `bothends serve` as a user does, on free ports; on `engine` and `transport`, or on those that it takes by
    itself.
    """
    name = OURS if engine is None else ours(engine, transport)
    command = [str(BOTHENDS), "serve", "--port", "0", "--http-port", "0", *flags]
    command += [] if transport is None else ["--transport", transport]
    command += [] if engine is None else engines.flags(engine)
    process = Process(name, command, ready=BANNER, log=logs / f"{name}.log")
    return ours_at(name, process, engine)


def ours_at(name: str, process: Process, engine: str | None) -> Server:
    """Return our server that is ready, by its banner."""
    port, http_port = int(process.found["port"]), int(process.found["url"].rpartition(":")[2])
    return Server(name, process, port, dimension=_dimension(), engine=engine, http_port=http_port)


def start_mosec(max_batch_size: int, logs: Path, *, workers: int) -> Server:
    """Start mosec, ready once each of its workers is connected."""
    name, port = f"{MOSEC} {max_batch_size}", free_port()
    command = [sys.executable, str(PEERS / "mosec_server.py"), "--address", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(workers), "--max-batch-size", str(max_batch_size)]
    command += ["--max-wait-ms", str(_MOSEC_WAIT_MS)]
    ready = r".*".join(["socket connected to"] * workers)
    process = Process(name, command, ready=ready, log=logs / f"{name}.log", variables=IMPORTS)
    return Server(name, process, port, ("--protocol", "http", "--body", "raw"), dimension=_dimension())


def _dimension() -> int:
    return Bundle.open(default_path()).config.dimension
