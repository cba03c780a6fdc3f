"""A real server that is attacked, watched from outside: its life, its answers, its memory."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bothends import Client, OverloadedError
from tests.support.serving import Running, finish, start

SENTENCES = ["there will be dragons", "dragons will be there", "a man plays the guitar"]
TIMEOUT_S = 10.0
"""Time that a good client gives a server under attack."""


@dataclass
class Victim:
    """A server in a process of its own, and its answer from before any attack."""

    process: subprocess.Popen[str]
    grpc: tuple[str, int]
    http: tuple[str, int]
    reference: bytes
    resident_mb: float
    slowest_s: float = 0.0
    """Slowest of the good client's answers."""

    def answers_right(self) -> None:
        """Assert that a good client on its own connection gets the bytes as ever, if need be when the server said."""
        assert self.process.poll() is None, "the server is gone"
        began = time.monotonic()
        with Client("{}:{}".format(*self.grpc), timeout_s=TIMEOUT_S) as client:
            while True:
                try:
                    assert client.encode(SENTENCES).tobytes() == self.reference
                    break
                except OverloadedError as error:
                    if time.monotonic() - began > TIMEOUT_S:
                        raise
                    time.sleep(min(error.retry_after_s, 1))  # as the server asks
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def resident(self, which: str = "VmRSS") -> float:
        """Megabytes in memory, now or (VmHWM) at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"{which}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    @property
    def growth_mb(self) -> float:
        """Growth of its memory since before the attack, at the worst moment."""
        return self.resident("VmHWM") - self.resident_mb


@contextmanager
def victim(*flags: str, **bounds: Any) -> Iterator[Victim]:
    """Start a server, and end it however the attack went."""
    with tempfile.NamedTemporaryFile() as log:  # gRPC's core logs some of what it is sent, as it came
        running = start(*flags, log=Path(log.name), **bounds)
        try:
            yield _prepared(running)
        finally:
            finish(running)


def _prepared(running: Running) -> Victim:
    """Make a Victim, with the answer that is right for it, asked before anything is done to it."""
    with Client(running.target) as client:
        reference = client.encode(SENTENCES).tobytes()
    host, _, port = running.target.rpartition(":")
    web = urlsplit(running.http)
    attacked = Victim(running.process, (host, int(port)), (host, web.port or 80), reference, 0)
    attacked.resident_mb = attacked.resident("VmHWM")
    return attacked
