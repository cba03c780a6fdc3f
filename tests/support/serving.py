"""A real `bothends serve` in a process of its own, for tests of any folder."""

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from bothends import BothendsError, Client, Retry

from .until import until

BOTHENDS = Path(sys.executable).parent / "bothends"


@dataclass
class Running:
    """A started server: its process and where it listens."""

    process: subprocess.Popen[str]
    banner: str
    target: str
    http: str


def start(*flags: str, log: Path | None = None, environment: Mapping[str, str] | None = None) -> Running:
    """Start a server on free ports and wait for the last line of its banner.

    `log` takes what it logs: a server that logs more than a pipe holds needs one, as nobody reads the pipe meanwhile.
    """
    with log.open("w") if log else nullcontext(subprocess.PIPE) as errors:
        process = subprocess.Popen(
            [BOTHENDS, "serve", "--port", "0", "--http-port", "0", *flags],
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
    return Running(process, banner, target[1], http[1])


def stand_still(running: Running) -> None:
    """Stop its threads until a SIGCONT, and wait until each has stopped: on a busy machine some go on for a while."""
    running.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, running.process.pid, os.WSTOPPED)


def finish(running: Running) -> None:
    """Kill it and close its pipes."""
    running.process.kill()
    running.process.communicate()


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


def _ask_in_vain(client: Client) -> None:
    """Send a request of many seconds, which the server's end cuts short."""
    with pytest.raises(BothendsError):
        client.encode(["word " * 250] * 1000)


@contextmanager
def kept_busy(running: Running) -> Iterator[None]:
    """Keep a request of many seconds in a server's queue, and wait at the end until its caller has an outcome."""
    with Client(running.target, retry=Retry(attempts=1)) as client:
        caller = threading.Thread(target=_ask_in_vain, args=(client,))
        caller.start()
        until(lambda: queued(running) >= 100)
        yield
        caller.join(timeout=60)
