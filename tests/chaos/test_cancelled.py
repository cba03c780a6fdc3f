"""A cancelled call frees its place at once, and nobody else notices: queue and gate are empty again, and others'
slowest calls take at most twice as long.
"""

import signal
import time
from collections.abc import Callable

import pytest

from tests.support.serving import Running
from tests.support.until import eventually

from .answers import Reference
from .callers import OK, Tally, crowd_of
from .conftest import Form
from .storms import beside, cancel_storm
from .vitals import answered, is_at_rest, scrape

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory

PLACES = 512
CANCELLED = 0.9
PER_S = 250.0
OTHERS = 4
P99_RATIO = 2.0


def others_alone(running: Running, reference: Reference, seconds: float) -> Tally:
    """Tally of well-behaved callers beside no other."""
    with crowd_of(OTHERS, running.target, reference) as end:
        time.sleep(seconds)  # is how long they are watched
        return end()


def test_cancel_storm(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """Nine of ten calls are cancelled at random moments."""
    calls = form.pick(2000, 10_000)
    running = serve("--max-concurrent-requests", str(PLACES))
    warm = others_alone(running, reference, 2)
    alone = others_alone(running, reference, form.pick(5, 20))
    with (
        beside(cancel_storm, running.target, reference, calls=calls, cancelled=CANCELLED, per_s=PER_S) as storm,
        crowd_of(OTHERS, running.target, reference) as end,
    ):
        stormy = storm.result(timeout=calls / PER_S + 60)
        others = end()
    assert eventually(lambda: is_at_rest(running), within_s=5), scrape(running)
    counted = answered(scrape(running))
    ratio = others.p99_ms / alone.p99_ms
    record("cancel storm", lost=sum(others.kinds.values()) - others.kinds[OK], calls=calls,
           cancelled=stormy.kinds["CANCELLED"], answered=stormy.kinds[OK],
           server_saw_cancelled=counted["CANCELLED"], others_answered=others.kinds[OK],
           others_p99_alone_ms=alone.p99_ms, others_p99_ms=others.p99_ms, others_p99_ratio=ratio)  # fmt: skip
    assert set(others.kinds) == {OK}, others.kinds
    assert set(stormy.kinds) <= {OK, "CANCELLED"}, stormy.kinds
    assert stormy.kinds["CANCELLED"] > 0.5 * calls
    assert set(counted) <= {OK, "CANCELLED"}
    received = warm + alone + others + stormy
    assert received.kinds[OK] <= counted[OK] <= sum(received.kinds.values()) - counted["CANCELLED"]
    assert ratio <= P99_RATIO
    running.process.send_signal(signal.SIGTERM)  # waits until nobody is inside: a place that was lost would keep it
    assert running.process.wait(timeout=10) == 0
