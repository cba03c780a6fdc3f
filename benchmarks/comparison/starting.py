"""The servers of the comparison: bothends on each transport and engine, and mosec where it can run."""

import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

import engines
import gpu_host
from bothends.server.keys import new
from ceiling import CORES
from processes import Process
from results import FLOAT32, IDLE, INT8, MOSEC, ONNXRUNTIME, ours
from servers import BOTHENDS, MOSEC_BATCHES, Server, start_mosec, start_ours

from .forms import SHARE, form_of
from .shards import FEW, MANY, ONE, start_split

ENGINES = (FLOAT32, INT8, ONNXRUNTIME)
TRANSPORTS = ("native", "grpcio")
"""Values of `bothends serve --transport`, the one that is judged first."""
ON_GRPCIO = (FLOAT32, ONNXRUNTIME)
"""Engines that are measured on grpcio too: with onnxruntime, a server is what it is without the native parts."""
_SHARE = 1_000_000
"""Sentences a second that the benchmark's key may send: more than there will be."""
Start = Callable[[Path], Server]


def transports() -> tuple[str | None, ...]:
    """Return the transports that a server can be told to take; None is the only one."""
    shown = subprocess.run([BOTHENDS, "serve", "--help-all"], capture_output=True, text=True, check=True).stdout
    return TRANSPORTS if "--transport " in shown else (None,)


class Servers:
    """Servers that run, and a line for each that can't."""

    def __init__(self) -> None:
        self.running: list[Server] = []
        self.transports: list[str | None] = []
        self.skipped: list[str] = []
        self.beside: dict[str, Server] = {}
        """Servers of ours that mosec isn't compared with: one whose callers have keys, one on an idle device, and those
        whose shards are told.
        """
        self.has_shards = False

    def start(self, logs: Path, stack: ExitStack) -> None:
        """Start all that can run; they stop with `stack`. Raises ClickException where bothends can't run at all."""
        for transport in transports():
            names = ON_GRPCIO if transport == "grpcio" else ENGINES
            starts = [
                partial(start_ours, engine=name, transport=transport) for name in names if name in engines.built()
            ]
            if self._start(ours(ENGINES[0], transport), starts, logs, stack):
                self.transports.append(transport)
        if not self.running:
            raise click.ClickException("\n".join(self.skipped))
        self._start(MOSEC, [partial(start_mosec, batch, workers=CORES) for batch in MOSEC_BATCHES], logs, stack)
        compared = len(self.running)
        if INT8 in engines.built():
            self._start(SHARE.name, [partial(start_keyed, transport=self.transports[0])], logs, stack)
        if "native" in self.transports:
            splits = [(ONE, FLOAT32), (ONE, INT8), (MANY, INT8), (FEW, INT8)]
            starts = [partial(start_split, split, engine=name, transport="native") for split, name in splits]
            self.has_shards = self._start("a transport in shards", starts, logs, stack)
        self._start(IDLE, [gpu_host.start], logs, stack)
        self.beside = {server.name: server for server in self.running[compared:]}
        del self.running[compared:]

    def forget(self, process: Process) -> None:
        """Leave out the servers of a process that died."""
        self.running = [server for server in self.running if server.process is not process]
        self.beside = {name: server for name, server in self.beside.items() if server.process is not process}

    def _start(self, what: str, starts: Sequence[Start], logs: Path, stack: ExitStack) -> bool:
        """Start one server in each of its settings; the first that can't run stands for those after it."""
        try:
            for start in starts:
                self.running.append(stack.enter_context(start(logs)))
        except click.ClickException as error:
            self.skipped.append(f"{what} is left out: {error.message.splitlines()[-1].strip()}")
            return False
        return True


def start_keyed(logs: Path, transport: str | None) -> Server:
    """Start a server in int8 whose callers have keys, each with a share; the load generator has one."""
    (key, lines), folder = new("benchmark"), logs / "keyed"
    folder.mkdir()
    (folder / "keys.toml").write_text(f"{lines}sentences_per_s = {_SHARE}\n", encoding="utf-8")
    server = start_ours(folder, "--api-keys", str(folder / "keys.toml"), engine=INT8, transport=transport)
    return replace(server, name=form_of(server.name, SHARE), flags=("--key", key))
