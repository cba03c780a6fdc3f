"""Nodes of Ray as processes of this machine, on loopback."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.until import TIMEOUT_S, until

RAY = Path(sys.executable).parent / "ray"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster."""

    address: str
    folder: Path
    """Folder of Ray's files, its logs too."""


def node(*flags: str, cpus: int = 2, **variables: str) -> "subprocess.Popen[bytes]":
    """Start a node, which ends with the process that is returned."""
    quiet = ["--disable-usage-stats", f"--num-cpus={cpus}", "--object-store-memory=80000000", "--block"]
    command: list[str | Path] = [RAY, "start", *flags, "--node-ip-address=127.0.0.1", *quiet]
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env=os.environ | variables)


def finish(process: "subprocess.Popen[bytes]") -> None:
    """End a node."""
    process.kill()  # what it started ends with it
    process.wait(TIMEOUT_S)


@contextmanager
def head() -> Iterator[Cluster]:
    """Run the first node of a cluster, of 2 CPUs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(f"/tmp/ray-test-{port}")  # noqa: S108  sockets' names can't be long
    process = node("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}")
    try:
        until(lambda: process.poll() is not None or list(folder.glob("session_latest/sockets/raylet*")))
        assert process.poll() is None
        yield Cluster(f"127.0.0.1:{port}", folder)
    finally:
        finish(process)
        shutil.rmtree(folder, ignore_errors=True)
