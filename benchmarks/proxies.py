"""The cost of a call in a proxy: HAProxy as deploy/gateway sets it, and Envoy, one thread each, in front of a server.

python benchmarks/proxies.py [--seconds 3] [--haproxy haproxy] [--envoy envoy]
"""

import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import generator
from load.build import build
from loads import unary, wide
from processes import Process, free_port
from sentences import load
from servers import Server, start_ours

_GATEWAY = Path(__file__).parent.parent / "deploy" / "gateway" / "haproxy.cfg"
_LOADS = (unary(1), unary(32), wide(4))
_ENVOY = "type.googleapis.com/envoy.extensions"


def haproxy(command: str, port: int, to: int, folder: Path) -> list[str]:
    """Return HAProxy's command with the gateway's own settings, one known server, and no health checks."""
    common = _GATEWAY.read_text(encoding="utf-8").partition("\nresolvers ")[0]
    own = [
        f"frontend grpc\n    bind 127.0.0.1:{port} proto h2\n    default_backend embedders",
        f"backend embedders\n    balance leastconn\n    server one 127.0.0.1:{to} proto h2",
    ]
    file = folder / "haproxy.cfg"
    file.write_text("\n".join([common, *own, ""]), encoding="utf-8")
    return [command, "-db", "-f", str(file)]


def envoy(command: str, port: int, to: int, folder: Path) -> list[str]:
    """Return Envoy's command: HTTP/2 on both sides, the better of two by their requests, no access log."""
    address: Callable[[int], dict[str, Any]] = lambda port: {  # noqa: E731
        "socket_address": {"address": "127.0.0.1", "port_value": port}
    }
    http2 = {
        "@type": f"{_ENVOY}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster = {
        "name": "embedders",
        "type": "STATIC",
        "lb_policy": "LEAST_REQUEST",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {
            "cluster_name": "embedders",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(to)}}]}],
        },
    }
    listener = {
        "name": "grpc",
        "address": address(port),
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": _connection_manager()}]}],
    }
    file = folder / "envoy.json"
    file.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}), "utf-8")
    return [command, "-c", str(file), "--concurrency", "1", "--log-level", "warning", "--use-dynamic-base-id"]


def _connection_manager() -> dict[str, Any]:
    """Return Envoy's filter that takes HTTP/2 and sends all of it to the embedders, without a time limit."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": "embedders", "timeout": "0s"}}
    return {
        "@type": f"{_ENVOY}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "grpc",
        "codec_type": "HTTP2",
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{_ENVOY}.filters.http.router.v3.Router"}},
        ],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }


PROXIES = {"HAProxy": ("haproxy", haproxy), "Envoy": ("envoy", envoy)}


@dataclass(frozen=True, slots=True)
class Passed:
    """The cost of one proxy under one load."""

    proxy: str
    load: str
    calls_per_s: float
    call_us: float
    """The proxy's CPU for one request, microseconds."""
    of_server: float
    """The same as a share of what the server behind it computes meanwhile."""


def measure(commands: Mapping[str, str], *, seconds: float) -> Iterator[Passed]:
    """Measure each proxy's CPU under some loads. One that isn't installed is left out."""
    build()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bodies = generator.write_bodies(folder / "sentences.txt", load(None).texts)
        with start_ours(folder) as server:
            for proxy, (_, configure) in PROXIES.items():
                if (command := shutil.which(commands[proxy])) is None:
                    continue
                port = free_port()
                run = configure(command, port, server.port, folder)
                with Process(proxy, run, ready="", log=folder / f"{proxy}.log") as process:
                    _wait_for(port, process)
                    between = Server(proxy, process, port, dimension=server.dimension)
                    named = f"{proxy} {_version(command)}"
                    for each in _LOADS:
                        before = process.cpu_s(), server.process.cpu_s()
                        row = generator.measure(between, each, bodies, warmup_s=1.0, seconds=seconds)
                        share = (process.cpu_s() - before[0]) / (server.process.cpu_s() - before[1])
                        call_us = 1000 * (row.cpu_s_per_1000 or 0) * each.batch
                        yield Passed(named, each.name, row.sentences_per_s / each.batch, call_us, share)


def _wait_for(port: int, process: Process) -> None:
    """Wait until the proxy listens; neither of the two says so."""
    for _ in range(100):
        process.check()
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)


def _version(command: str) -> str:
    flag = "--version" if "envoy" in Path(command).name else "-v"
    said = subprocess.run([command, flag], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+\.\d+", said)
    return found[0] if found else "?"


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Measured time of each figure.")
@click.option("--haproxy", default="haproxy", show_default=True, help="HAProxy's command.")
@click.option("--envoy", default="envoy", show_default=True, help="Envoy's command.")
def main(*, seconds: float, haproxy: str, envoy: str) -> None:
    """Print one table in Markdown."""
    print("| proxy | load | calls/s | CPU a call, µs | of the server's |\n|:--|:--|--:|--:|--:|")
    for each in measure({"HAProxy": haproxy, "Envoy": envoy}, seconds=seconds):
        figures = f"{each.calls_per_s:,.0f} | {each.call_us:.0f} | {each.of_server:.3f}"
        print(f"| {each.proxy} | {each.load} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
