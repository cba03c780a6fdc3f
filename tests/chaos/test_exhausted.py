"""A server whose file descriptors have run out goes on with those whom it has, burns nothing, and fills no log."""

import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.serving import Running, finish, is_ready, start
from tests.support.until import until

from .vitals import cpu_s, vitals

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
SPARE, CONNECTIONS, SECONDS = 20, 80, 4.0
MAX_LOG_BYTES, MAX_CPU_S = 20_000, 1.0


def answers(running: Running) -> bool:
    """Return whether a probe is answered."""
    try:
        return is_ready(running)
    except OSError:
        return False


def test_no_more_files(record: Callable[..., None], tmp_path: Path) -> None:
    """More connections come than there are descriptors for, and wait; once they have gone, others are answered."""
    log = tmp_path / "log"
    running = start(log=log)
    try:
        web = urlsplit(running.http)
        most = vitals(running.process.pid).files + SPARE
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (most, most))
        before, began = log.stat().st_size, cpu_s(running.process)
        with ExitStack() as held:
            for _ in range(CONNECTIONS):
                held.enter_context(socket.create_connection((web.hostname or "", web.port or 0), timeout=10))
            time.sleep(SECONDS)  # the time that is measured
            took_s, logged = cpu_s(running.process) - began, log.stat().st_size - before
        gone = time.monotonic()
        until(lambda: answers(running))
        record("no more file descriptors", connections=CONNECTIONS, seconds=SECONDS, log_bytes=logged, cpu_s=took_s,
               sent_bytes=0, before="37 MB of log, 3.2 s of CPU in 4 s", back_s=time.monotonic() - gone)  # fmt: skip
        assert logged < MAX_LOG_BYTES
        assert took_s < MAX_CPU_S
    finally:
        finish(running)
