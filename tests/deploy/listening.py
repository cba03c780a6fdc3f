"""A real Prometheus on a free port, for tests of what it is configured with."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.until import TIMEOUT_S


@contextmanager
def listening(command: Sequence[str], folder: Path) -> Iterator[httpx.Client]:
    """Run a Prometheus in `folder` until it is ready, on a port that the kernel chooses; yields who asks it."""
    process = subprocess.Popen(
        [*command, "--web.listen-address=127.0.0.1:0"],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stderr is not None
        log = ""
        for line in process.stderr:
            log += line
            if "ready to receive web requests" in line:
                break
        address = re.search(r'msg="Listening on" address=(\S+)', log)
        assert address is not None, log
        with httpx.Client(base_url=f"http://{address[1]}", timeout=TIMEOUT_S) as http:
            yield http
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_S)
