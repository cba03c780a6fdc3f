"""A real `bothends serve` in a process of its own, for tests of any folder."""

import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import grpc

from bothends.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from bothends.wire.messages import SERVICE

from .until import until

BOTHENDS = Path(sys.executable).parent / "bothends"
_WITH_BOUNDS = """
import functools, json, sys
from bothends.cli.main import main
from bothends.settings import Settings
Settings.load = functools.partial(Settings.load, **json.loads(sys.argv.pop(1)))
main()
"""
"""Program of the command line whose server has fixed bounds of the test's choice."""


@dataclass
class Running:
    """A started server: its process and where it listens."""

    process: subprocess.Popen[str]
    banner: str
    target: str
    http: str
    log: Path | None = None
    """File that takes what it logs, if one does."""


def start(
    *flags: str,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    files: int | None = None,
    **bounds: float,
) -> Running:
    """Start a server on free ports and wait for the last line of its banner. `bounds` are settings that are no options.

    `log` takes what it logs: a server that logs more than a pipe holds needs one, as nobody reads the pipe meanwhile.
    `files` is how many its process may have open as it begins.
    """
    command = [sys.executable, "-c", _WITH_BOUNDS, json.dumps(bounds)] if bounds else [BOTHENDS]
    if files is not None:
        command = ["sh", "-c", f'ulimit -Sn {files} && exec "$0" "$@"', *command]
    with log.open("w") if log else nullcontext(subprocess.PIPE) as errors:
        process = subprocess.Popen(
            [*command, "serve", "--port", "0", "--http-port", "0", *flags],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("  try"):
            break
    banner = "".join(lines)
    target, http = re.search(r"gRPC +(\S+)", banner), re.search(r"(https?://\S+)", banner)
    assert target is not None, banner + process.stderr.read() if process.stderr else banner
    assert http is not None
    return Running(process, banner, target[1], http[1], log)


def restarted(killed: Running, *flags: str, log: Path | None = None) -> Running:
    """Start another server on the port of one that was killed, which nobody else is given meanwhile."""
    host, _, port = killed.target.rpartition(":")
    with socket.socket() as held:  # bound, and listening to nobody
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, int(port)))
        return start("--port", port, *flags, log=log)


def finish(running: Running) -> None:
    """Kill it and close its pipes."""
    running.process.kill()
    running.process.communicate()


def is_ready(running: Running) -> bool:
    """Return True if /readyz says so."""
    try:
        with urllib.request.urlopen(f"{running.http}/readyz", timeout=60):  # noqa: S310  our own server
            return True
    except urllib.error.HTTPError:
        return False


def sample(running: Running, series: str) -> float:
    """Value of a series of its metrics page, by name and labels as they stand there; 0 where it isn't there."""
    with urllib.request.urlopen(f"{running.http}/metrics") as page:  # noqa: S310  our own server
        text = page.read().decode()
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{series} ")), 0.0)


def queued(running: Running) -> float:
    """Number of sentences that wait, as the server counts."""
    return sample(running, "bothends_queue_sentences")


def answered(running: Running) -> float:
    """Number of Embed requests that the server answered, as it counts."""
    return sample(running, 'bothends_requests_total{code="OK",method="Embed"}')


@contextmanager
def held_open(running: Running, *, calls: int = 1) -> Iterator[Callable[[], list[EmbedResponse]]]:
    """Keep a server at work for seconds, by calls that it has accepted. What is yielded waits for all answers.

    Each has 1,000 embeddings.
    """
    with grpc.insecure_channel(running.target) as channel:
        embed = channel.unary_unary(f"/{SERVICE}/Embed", EmbedRequest.SerializeToString, EmbedResponse.FromString)
        futures = [embed.future(EmbedRequest(sentences=["word " * 250] * 1000)) for _ in range(calls)]
        try:
            until(lambda: queued(running) > 1000 * (calls - 1))
            yield lambda: [future.result(120) for future in futures]
        finally:
            for future in futures:
                future.cancel()
