"""A full disk under the logs and a clock that jumps fail no call, hold up no stop, and change no exit code."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import BOTHENDS, Running
from tests.support.until import eventually

from .answers import Reference
from .callers import OK, Caller, crowd_of
from .vitals import is_at_rest, scrape

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory

FULL = Path("/dev/full")
"""A file that takes nothing: every write fails with "No space left on device"."""
JUMPS = ("+1h", "-1h", "+1y", "-1y", "+0")
SELFTEST_S = 1
CALLS = 50
DEADLINE_S = 60
"""The callers' own deadline of each call."""


def free_ports() -> tuple[int, int]:
    """Find two ports for a server whose banner can't be read."""
    with socket.socket() as one, socket.socket() as other:
        for taken in (one, other):
            taken.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@pytest.mark.parametrize("full", [("stderr",), ("stdout",), ("stdout", "stderr")], ids=" and ".join)
def test_a_full_disk(full: tuple[str, ...], reference: Reference, record: Callable[..., None]) -> None:
    """The server starts, serves and stops with 0, though its output can't be written."""
    port, http_port = free_ports()
    flags = ["--port", str(port), "--http-port", str(http_port), "--log-level", "debug"]
    with FULL.open("w") as nowhere:
        where: dict[str, Any] = {name: nowhere if name in full else subprocess.DEVNULL for name in ("stdout", "stderr")}
        process = subprocess.Popen([BOTHENDS, "serve", *flags], **where)
    try:
        with Caller(f"127.0.0.1:{port}", reference, seed=0) as caller:
            assert eventually(lambda: process.poll() is not None or caller.call() == OK, within_s=30)
            assert {caller.call() for _ in range(CALLS)} == {OK}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
    record("full disk", **{"lost": 0, " and ".join(full): f"{CALLS} calls answered, exit 0"})


@pytest.fixture
def false_clock(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A file that says how wrong the time of day is, and the environment in which libfaketime reads it."""
    found = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("needs libfaketime (Debian: apt-get install faketime)")
    file = tmp_path / "clock"
    file.write_text("+0")
    return file, os.environ | {
        "LD_PRELOAD": str(found[0]), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip


def test_a_clock_that_jumps(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None],
    false_clock: tuple[Path, dict[str, str]],
) -> None:  # fmt: skip
    """Calls with deadlines are answered and self-tests go on though the clock jumps by an hour and by a year."""
    file, environment = false_clock
    running = serve(environment=environment, selftest_s=SELFTEST_S)
    with crowd_of(4, running.target, reference) as end:
        for jump in JUMPS:
            tested = scrape(running)["bothends_selftest_timestamp_seconds english"]
            file.write_text(jump)

            def has_jumped(was: float = tested, by: float = _seconds(jump)) -> bool:
                at = scrape(running)["bothends_selftest_timestamp_seconds english"]
                return at != was and abs(at - time.time() - by) < 60

            assert eventually(has_jumped, within_s=20), jump
        seen = end()
    assert eventually(lambda: is_at_rest(running), within_s=10)
    record("clock jumps", lost=sum(seen.kinds.values()) - seen.kinds[OK], jumps=len(JUMPS), answered=seen.kinds[OK],
           longest_call_s=max(seen.seconds))  # fmt: skip
    assert set(seen.kinds) == {OK}, seen.kinds
    assert max(seen.seconds) < DEADLINE_S / 4
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=10) == 0


def _seconds(jump: str) -> float:
    units = {"h": 3600.0, "y": 365 * 86400.0}
    return float(jump[:-1]) * units[jump[-1]] if jump[-1] in units else float(jump)
