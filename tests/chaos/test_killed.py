"""A killed server loses nothing but time: who tries again is answered once it is back, and right in every bit."""

import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from ..serving import Running
from .answers import Reference
from .callers import LOST, OK, UNCONNECTED, Caller, Crowd, Tally
from .conftest import Form

pytestmark = pytest.mark.chaos

CALLERS = 16
PATIENCE_S = 30.0
SLACK_S = 2.0
"""What a caller may take above the restart: its last pause, and its turn among all who come at once."""


def retrying(caller: Caller) -> tuple[str, list[str]]:
    """One request until it is answered, as Embed may be sent again; returns its end, and what came before."""
    request, right = caller.next_request()
    end, before = time.monotonic() + PATIENCE_S, []
    while True:
        kind = caller.send(request, right)
        if not kind.startswith((LOST, UNCONNECTED)) or time.monotonic() > end:
            return kind, before
        before.append(kind)
        time.sleep(0.05 + 0.1 * caller.chance.random())


def insist(target: str, reference: Reference, seed: int, stop: threading.Event) -> Tally:
    """Requests one after the other, each until it is answered; their time counts the failures before."""
    tally = Tally()
    with Caller(target, reference, seed=seed) as caller:
        while not stop.is_set():
            started = time.monotonic()
            kind, before = retrying(caller)
            tally.note(kind, time.monotonic() - started)
            tally.kinds["tries that failed"] += len(before)
    return tally


def test_kill_and_restart(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """SIGKILL under load, and a new server on the same port, again and again."""
    running = serve()
    port = running.target.rpartition(":")[2]
    stop, restarts_s = threading.Event(), []
    crowd = Crowd([partial(insist, running.target, reference, seed, stop) for seed in range(CALLERS)])
    current = running
    for _ in range(form.pick(3, 20)):
        stop.wait(2)  # of load before the next one
        killed = time.monotonic()
        current.process.send_signal(signal.SIGKILL)
        current.process.wait(timeout=10)
        current = serve("--port", port)
        restarts_s.append(time.monotonic() - killed)
    stop.wait(2)
    stop.set()
    seen = crowd.tally(within_s=60)
    failed = seen.kinds.pop("tries that failed")
    record("kill -9 and restart", lost=sum(seen.kinds.values()) - seen.kinds[OK], kills=len(restarts_s),
           answered=seen.kinds[OK], tries_that_failed=failed, longest_restart_s=max(restarts_s),
           longest_call_s=max(seen.seconds))  # fmt: skip
    assert set(seen.kinds) == {OK}, seen.kinds
    assert failed >= CALLERS, "no caller noticed: nothing was attacked"
    assert max(seen.seconds) <= max(restarts_s) + SLACK_S
