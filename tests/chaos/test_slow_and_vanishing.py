"""Clients that read slowly, stop, break off amid a message or vanish harm nobody else, and leave nothing behind."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.support.serving import Running
from tests.support.until import eventually

from .answers import Reference
from .callers import OK, WRONG, crowd_of
from .conftest import Form
from .proxy import MANNERS
from .storms import beside, rough_storm
from .vitals import is_at_rest, vitals

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory

ROUGH = 24
OTHERS = 4
P99_RATIO = 2.0
GROWTH_MB = 100
"""Memory that so many untaken answers and unended requests may hold for as long as they do."""


def test_rough_clients(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """All bad manners come at once, beside callers who have none."""
    seconds = form.pick(9, 120)
    running = serve()
    pid = running.process.pid
    with crowd_of(OTHERS, running.target, reference) as end:
        time.sleep(2)  # warms the engine
        end()
    before = vitals(pid)
    with crowd_of(OTHERS, running.target, reference) as end:
        time.sleep(form.pick(5, 20))  # is how long they are watched
        alone = end()
    highest_mb = 0.0
    with (
        beside(rough_storm, running.target, reference, seconds=seconds, callers=ROUGH) as storm,
        crowd_of(OTHERS, running.target, reference) as end,
    ):
        while not storm.done():
            highest_mb = max(highest_mb, vitals(pid).rss_mb)
            time.sleep(0.1)  # between two looks at the memory
        rough, others = storm.result(), end()
    ratio = others.p99_ms / alone.p99_ms
    assert eventually(lambda: is_at_rest(running), within_s=10)
    assert eventually(lambda: vitals(pid).files <= before.files, within_s=30), vitals(pid)
    record("slow and vanishing clients", lost=sum(others.kinds.values()) - others.kinds[OK], manners=len(MANNERS),
           rough_calls=sum(rough.kinds.values()), of_which_answered=rough.kinds[OK], others_answered=others.kinds[OK],
           others_p99_ratio=ratio, memory_grew_mb=highest_mb - before.rss_mb,
           files=f"{before.files} → {vitals(pid).files}")  # fmt: skip
    assert set(others.kinds) == {OK}, others.kinds
    assert rough.kinds[WRONG] == 0
    assert rough.kinds[OK] < sum(rough.kinds.values()), "nobody was rough"
    assert highest_mb - before.rss_mb <= GROWTH_MB
    assert ratio <= P99_RATIO
    running.process.send_signal(signal.SIGTERM)  # waits until nobody is inside: a place that was lost would keep it
    assert running.process.wait(timeout=10) == 0
