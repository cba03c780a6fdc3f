"""Servers as process trees: start one and learn its port, read its CPU time and memory, stop it for certain."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import click
import psutil

_READY_S = 60.0
_STOP_S = 8.0
_LOG_LINES = 12


class Process:
    """A started command in a process group of its own, with what it prints in `log`."""

    def __init__(
        self, name: str, command: Sequence[str], *, ready: str, log: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        """Start it, with `variables` in its environment, and wait until its output matches `ready`, kept in `found`.

        Raises ClickException with the end of its log where that doesn't happen.
        """
        self.name = name
        self._log = log
        with log.open("wb") as output:
            # A group of its own: Ctrl-C reaches the benchmark alone, which then stops each server itself.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | dict(variables or {}),
            )
        try:
            self.found = self._wait_for(ready)
            self.tree = self._members()
        except BaseException:
            self.stop()
            raise

    def cpu_s(self) -> float:
        """Return the CPU-seconds of the whole tree so far, user and system."""
        self.check()
        return sum(sum(member.cpu_times()[:2]) for member in self.tree)

    def rss_bytes(self) -> int:
        """Return the resident bytes of the whole tree; what processes share counts in each."""
        self.check()
        return sum(member.memory_info().rss for member in self.tree)

    def is_alive(self) -> bool:
        """Return whether all processes of the tree run."""
        # A zombie counts as running with psutil: it is an ended process that its parent hasn't asked after yet.
        return all(member.is_running() and member.status() != psutil.STATUS_ZOMBIE for member in self.tree)

    def check(self) -> None:
        """Raise ClickException with the end of the log if a process of the tree has ended."""
        if not self.is_alive():
            raise self._failure("died")

    def stop(self) -> None:
        """Send SIGTERM to the first process, which stops its own; SIGKILL to the group for what is left."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_for(self, ready: str) -> re.Match[str]:
        end = time.monotonic() + _READY_S
        while time.monotonic() < end:
            if found := re.search(ready, self._log.read_text(encoding="utf-8", errors="replace"), re.DOTALL):
                return found
            if self._process.poll() is not None:
                raise self._failure("stopped before it was ready")
            time.sleep(0.05)
        raise self._failure(f"wasn't ready in {_READY_S:g} s")

    def _members(self) -> list[psutil.Process]:
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def _failure(self, what: str) -> click.ClickException:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        return click.ClickException("\n".join([f"{self.name} {what}; the end of its log:", *lines]))


def free_port() -> int:
    """Return a port of 127.0.0.1 that no process listens on, for servers that can't choose one themselves."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
