"""A killed server loses nothing but time: who tries again is answered once it is back, and right in every bit."""

import random
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from bothends import BothendsError, Client
from tests.support.serving import Running

from .answers import Reference
from .callers import OK, WRONG, Crowd, Tally
from .conftest import Form

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory

CALLERS = 16
MOST = 8
"""Most sentences of a request."""
SLACK_S = 2.0
"""Time that a caller may take above the restart: its last pause, and its turn among all who come at once."""


def insist(target: str, reference: Reference, seed: int, stop: threading.Event) -> Tally:
    """Make requests one after the other by a client with its defaults: it tries again by itself."""
    tally, chance = Tally(), random.Random(seed)
    with Client(target) as client:
        while not stop.is_set():
            sentences, right = reference.pick(chance, most=MOST)
            started = time.monotonic()
            try:
                found = client.encode(sentences)
            except BothendsError as error:
                kind = type(error).__name__
            else:
                kind = OK if found.tobytes() == right.tobytes() else WRONG
            tally.note(kind, time.monotonic() - started)
    return tally


@pytest.mark.filterwarnings("ignore::bothends.TruncationWarning")
def test_kill_and_restart(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """Servers get SIGKILL under load, and a new one comes on the same port, again and again."""
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
    noticed = sum(seconds > min(restarts_s) / 2 for seconds in seen.seconds)
    record("kill -9 and restart", lost=sum(seen.kinds.values()) - seen.kinds[OK], kills=len(restarts_s),
           answered=seen.kinds[OK], calls_that_waited=noticed, longest_restart_s=max(restarts_s),
           longest_call_s=max(seen.seconds))  # fmt: skip
    assert set(seen.kinds) == {OK}, seen.kinds
    assert noticed >= CALLERS, "no caller noticed: nothing was attacked"
    assert max(seen.seconds) <= max(restarts_s) + SLACK_S
