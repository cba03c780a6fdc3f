"""The servers of the comparison: bothends on each transport and engine, and its peers, those that can run here."""

import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

import engines
from ceiling import CORES
from results import FLOAT32, INT8, MOSEC, NAIVE, ONNXRUNTIME, TRITON, ours
from servers import BOTHENDS, MOSEC_BATCHES, Server, start_mosec, start_naive, start_ours
from tritonserver import BATCHES as TRITON_BATCHES
from tritonserver import start_triton

ENGINES = (FLOAT32, INT8, ONNXRUNTIME)
TRANSPORTS = ("native", "grpcio")
"""Values of `bothends serve --transport`, the one that is judged first."""
Start = Callable[[Path], Server]


def transports() -> tuple[str | None, ...]:
    """Return the transports that a server can be told to take; None is the only one."""
    shown = subprocess.run([BOTHENDS, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    return TRANSPORTS if "--transport " in shown else (None,)


class Servers:
    """Servers that run, and a line for each that can't."""

    def __init__(self) -> None:
        self.running: list[Server] = []
        self.transports: list[str | None] = []
        self.skipped: list[str] = []

    def start(self, logs: Path, stack: ExitStack) -> None:
        """Start all that can run; they stop with `stack`. Raises ClickException where bothends can't run at all."""
        for transport in transports():
            starts = [
                partial(start_ours, engine=name, transport=transport) for name in ENGINES if name in engines.built()
            ]
            if self._start(ours(ENGINES[0], transport), starts, logs, stack):
                self.transports.append(transport)
        if not self.running:
            raise click.ClickException("\n".join(self.skipped))
        self._start(MOSEC, [partial(start_mosec, batch, workers=CORES) for batch in MOSEC_BATCHES], logs, stack)
        self._start(TRITON, [partial(start_triton, batch, workers=CORES) for batch in TRITON_BATCHES], logs, stack)
        self._start(NAIVE, [start_naive], logs, stack)

    def _start(self, what: str, starts: Sequence[Start], logs: Path, stack: ExitStack) -> bool:
        """Start one server in each of its settings; the first that can't run stands for those after it."""
        try:
            for start in starts:
                self.running.append(stack.enter_context(start(logs)))
        except click.ClickException as error:
            self.skipped.append(f"{what} is left out: {error.message.splitlines()[-1].strip()}")
            return False
        return True
