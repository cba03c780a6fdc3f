"""Comparison of our application on Ray with Ray's own batching around the same engine, and with our server without Ray.

tests/cluster/apart .venv/bin/python benchmarks/ray_serve.py [--engine onnxruntime] [--seconds 4] [--rounds 3]
Ray listens on every interface, so this runs apart. One replica of one core; a round measures all, one after another.
"""

import os
import secrets
import statistics
import sys
import tempfile
from collections import Counter
from itertools import count
from pathlib import Path

import click
import psutil

import engines
import generator
import sentences
from load.build import build
from loads import Load, unary, wide
from machine import describe
from processes import Process
from results import ENGINES, ONNXRUNTIME, Row
from servers import IMPORTS, PEERS, Server, start_ours

RAYS, BATCH, DIRECT = "bothends on Ray", "@serve.batch", "bothends serve"
_BIN = Path(sys.executable).parent
_ROLES = {"ray::ServeReplica": "replica", "ray::ProxyActor": "proxy", "ray::ServeController": "controller"}
_PORTS = count(20_000, 10)
"""Ports that no other process uses, below those that the system gives out by itself: Ray asks for many of those."""
_CALLERS = 32
_WIDE_CALLERS = 4


def main_of(name: str, engine: str, port: int, http_port: int, batch: int) -> list[str]:
    """Return the command that starts it on Ray."""
    if name == RAYS:
        return [str(_BIN / "serve"), "run", "bothends.ray:app", "max_replicas=1", "cpus=1"]
    peer = [sys.executable, str(PEERS / "ray_batch.py"), "--engine", engine]
    return [*peer, "--port", str(port), "--http-port", str(http_port), "--max-batch-size", str(batch)]


def start_on_ray(name: str, engine: str, folder: Path, *, batch: int = 32, is_direct: bool = False) -> Server:
    """Start a cluster of its own, ready once the replica is. Called at the replica's own port where it `is_direct`."""
    port, http_port, replicas_port = next(_PORTS), next(_PORTS), next(_PORTS)
    os.environ |= {"RAY_SERVE_ENABLE_DIRECT_INGRESS": str(int(is_direct))}
    os.environ |= {"RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(replicas_port)}
    os.environ |= {"RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(replicas_port + 1)}
    flags = engines.flags(engine)
    ours = {f"BOTHENDS_{flag[2:].upper()}": value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    ours |= {"BOTHENDS_PORT": str(port), "BOTHENDS_HTTP_PORT": str(http_port)}
    # A socket's path must be short.
    os.environ |= {"RAY_TMPDIR": tempfile.mkdtemp(prefix="serve-", dir="/tmp"), "RAY_USAGE_STATS_ENABLED": "0"}
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    os.environ["RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES"] = str(100 << 20)
    os.environ |= ours
    command = main_of(name, engine, port, http_port, batch)
    process = Process(name, command, ready=r"is ready at|application is ready", log=folder / f"{name}.log",
                      variables=IMPORTS if name == BATCH else None)  # fmt: skip
    for variable in ours:
        del os.environ[variable]
    return Server(name, process, replicas_port if is_direct else port, dimension=512)


def by_role(server: Server) -> Counter[str]:
    """Return the CPU-seconds so far of each kind of process."""
    found: Counter[str] = Counter()
    for member in server.process.tree:
        title = (member.cmdline() or [""])[0]
        role = next((role for start, role in _ROLES.items() if title.startswith(start)), "Ray's others")
        found[role] += sum(member.cpu_times()[:2])
    return found


@click.command()
@click.option("--engine", type=click.Choice(ENGINES), default=ONNXRUNTIME, show_default=True)
@click.option("--batch", default=32, show_default=True, help="The most requests that @serve.batch puts together.")
@click.option("--direct-ingress", "is_direct", is_flag=True, help="Call replicas' own ports, past Ray's proxy.")
@click.option("--seconds", default=4.0, show_default=True, help="Measured time of each figure.")
@click.option("--rounds", default=3, show_default=True, help="Times each is measured; the median counts.")
def main(*, engine: str, batch: int, is_direct: bool, seconds: float, rounds: int) -> None:
    """Print the figures of each round, the medians of their ratios, and where the CPU time goes."""
    if [name for name in psutil.net_if_addrs() if name != "lo"]:
        raise click.ClickException("Ray listens on every interface: run this by tests/cluster/apart")
    build()
    print(f"{', '.join(describe().values())}; {engine}; {rounds} rounds of {seconds:g} s\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bodies = generator.write_bodies(folder / "bodies.txt", sentences.load(None).texts)
        with (
            start_on_ray(RAYS, engine, folder, is_direct=is_direct) as rays,
            start_on_ray(BATCH, engine, folder, batch=batch, is_direct=is_direct) as batched,
            start_ours(folder, "--workers", "1", engine=engine) as direct,
        ):
            measure_all(rays, batched, direct, bodies, seconds=seconds, rounds=rounds)


def measure_all(rays: Server, batched: Server, direct: Server, bodies: Path, *, seconds: float, rounds: int) -> None:
    """Measure each of them at its loads, in every round."""
    spent: Counter[str] = Counter()
    rows: dict[tuple[str, str], list[Row]] = {}
    for _ in range(rounds):
        for server, load in (
            (rays, unary(_CALLERS)),
            (batched, unary(_CALLERS)),
            (direct, unary(_CALLERS)),
            (rays, wide(_WIDE_CALLERS)),
            (direct, wide(_WIDE_CALLERS)),
        ):
            before = by_role(server)
            row = generator.measure(server, load, bodies, warmup_s=1, seconds=seconds)
            if (server, load) == (rays, wide(_WIDE_CALLERS)):
                spent += by_role(server) - before
            rows.setdefault((server.name, load.name), []).append(row)
            show(server.name, load, row)
    print()
    pairs(rows, direct.name)
    total = spent.total()
    parts = ", ".join(f"{role} {share / total:.0%}" for role, share in spent.most_common())
    print(f"CPU time on Ray with 32 sentences a request: {parts}")


def show(name: str, load: Load, row: Row) -> None:
    """Print one line for a row."""
    cpu = 1000 * (row.cpu_s_per_1000 or 0)
    print(
        f"{name:24} {load.name:18} {row.sentences_per_s:8,.0f} sentences/s  {cpu:6.0f} µs CPU  p50 {row.p50_ms:.1f} ms"
    )


def pairs(rows: dict[tuple[str, str], list[Row]], direct: str) -> None:
    """Print the medians of each round's ratios."""
    one, many = unary(_CALLERS).name, wide(_WIDE_CALLERS).name

    def told(what: str, above: list[float], below: list[float]) -> None:
        ratios = [a / b for a, b in zip(above, below, strict=True)]
        print(f"{what}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")

    def speeds(name: str, load: str) -> list[float]:
        return [row.sentences_per_s for row in rows[name, load]]

    def costs(name: str, load: str) -> list[float]:
        return [row.cpu_s_per_1000 or 0 for row in rows[name, load]]

    told("sentences/s, ours on Ray / @serve.batch, unary", speeds(RAYS, one), speeds(BATCH, one))
    told("sentences/s, ours on Ray / without, unary", speeds(RAYS, one), speeds(direct, one))
    told("CPU a sentence, ours on Ray / without, unary", costs(RAYS, one), costs(direct, one))
    told("CPU a sentence, ours on Ray / without, 32 a request", costs(RAYS, many), costs(direct, many))


if __name__ == "__main__":
    main()
