"""A server that nobody asks for anything sleeps, with its model loaded."""

import sys
import time
from pathlib import Path

import pytest

from tests.support.serving import Running
from tests.support.until import until

WINDOW_S, MAX_A_SECOND = 2.0, 5
GRPC = ("event_engine", "grpc_global_tim", "lifeguard")
"""Threads of gRPC's core, which wake some eight times a second by themselves."""


def wakings(process: int) -> int:
    """Return how often the threads of a process, but for gRPC's own, have gone to sleep."""
    texts = [(task / "status").read_text() for task in Path(f"/proc/{process}/task").iterdir()]
    ours = (text for text in texts if not text.startswith(tuple(f"Name:\t{name}" for name in GRPC)))
    return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in ours)


@pytest.mark.timing
@pytest.mark.skipif(sys.platform != "linux", reason="it is counted by Linux")
def test_an_idle_server_wakes_seldom(running: Running) -> None:
    """All threads together: those that wait for calls, the transport's, the event loop's, and timers."""

    def sleeps() -> bool:
        before = wakings(running.process.pid)
        time.sleep(WINDOW_S)  # the time that is measured
        return wakings(running.process.pid) - before <= MAX_A_SECOND * WINDOW_S

    until(sleeps)
