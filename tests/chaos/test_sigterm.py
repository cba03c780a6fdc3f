"""Accepted calls are never lost on SIGTERM: each is answered, or refused by name; the server exits with 0 in time."""

import json
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.serving import Running
from tests.support.until import eventually

from .answers import Reference
from .callers import OK, UNCONNECTED, Caller, Crowd, Tally, call_until
from .conftest import Form
from .vitals import answered, scrape

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory

CALLERS, MAX_SENTENCES = 16, 50
HEAVY_CALLERS, HEAVY_SENTENCES = 48, 300
"""Load of every eighth stop: more than the server can do in the time that gRPC's own shutdown would leave it."""
DRAIN_S = 30
STOP_S = 5
"""Seconds that a stop takes above its drain: the last bytes, and the interpreter's own end."""
CALLS_BEFORE = 50


def call_until_told(target: str, reference: Reference, seed: int, *, most: int) -> Tally:
    """Call until the server says that it stops, or isn't there any more."""
    with Caller(target, reference, seed=seed, most=most) as caller:
        return call_until(caller, lambda kind: kind == OK)


def stop_under_load(
    running: Running, reference: Reference, number: int, *, callers: int, most: int
) -> tuple[Tally, float]:
    """Send SIGTERM amid calls; return their tally, and the seconds in which the server ended, with 0."""
    seeds = range(1000 * number, 1000 * number + callers)
    crowd = Crowd([partial(call_until_told, running.target, reference, seed, most=most) for seed in seeds])
    assert eventually(lambda: answered(scrape(running)).get("OK", 0) >= CALLS_BEFORE, within_s=30)
    asked = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=DRAIN_S + STOP_S) == 0
    took_s = time.monotonic() - asked
    return crowd.tally(within_s=30), took_s


def answers_logged(log: Path) -> int:
    """Number of Embed calls that the server's log has as answered; it must say that it left none unanswered."""
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one["everything_answered"] for one in records if one["event"] == "stopped"] == [True]
    calls = [one for one in records if one["event"] == "request" and one["method"] == "Embed"]
    assert {one["code"] for one in calls} <= {"OK", "UNAVAILABLE"}
    return sum(one["code"] == "OK" for one in calls)


def test_sigterm_under_load(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None], tmp_path: Path
) -> None:
    """Calls that the server counts as answered are those that its callers received, each time."""
    total, longest_s, lost, stops = Tally(), 0.0, 0, form.pick(8, 50)
    for number in range(stops):
        log = tmp_path / f"{number}.log"
        is_heavy = number % 8 == 7
        flags = ["--workers", "1"] if is_heavy else []
        callers, most = (HEAVY_CALLERS, HEAVY_SENTENCES) if is_heavy else (CALLERS, MAX_SENTENCES)
        running = serve("--log-level", "debug", "--drain-s", str(DRAIN_S), *flags, log=log)
        seen, took_s = stop_under_load(running, reference, number, callers=callers, most=most)
        assert set(seen.kinds) <= {OK, "DRAINING", UNCONNECTED}, seen.kinds
        lost += answers_logged(log) - seen.kinds[OK]
        total, longest_s = total + seen, max(longest_s, took_s)
    record("SIGTERM under load", lost=lost, stops=stops, answered=total.kinds[OK], refused=total.kinds["DRAINING"],
           unconnected=total.kinds[UNCONNECTED], longest_stop_s=longest_s)  # fmt: skip
    assert lost == 0
