"""Callers over HTTP who only want to be a burden cost gRPC's callers little, keep nobody out, and fill no memory."""

import statistics
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.support.serving import Running

from . import floods
from .answers import Reference
from .callers import OK
from .conftest import Form
from .costs import Costs, lists, singles
from .storms import beside

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
SLOW_READERS = 125
MAX_WAITING_MB, MAX_KEPT_MB = 350, 300
"""Memory for 125 bodies of 4 MB, of which 67 MB may be on their way and as many wait; and what is kept afterwards."""
MAX_UNREAD_MB = 500
"""Memory for 125 unread answers: 128 MB that are sent, 128 MB in the making, and what is around them."""
USUAL_PROBE_S, MAX_BODIES_MB = 0.25, 300
"""Bounds on the median of probes' times, and on memory, beside bodies by more than may connect."""
SLOWEST_LIST_MS = 2000
"""Bound on the p99 of a caller's lists beside 120 explanations at once, on two cores."""

BODIES = {
    "lists by 150": partial(floods.lists, connections=150),
    "1.4 million empty lists by 120": partial(floods.empty_lists, connections=120),
}
BEFORE = {
    "lists by 150": "/healthz answered 2 of 46 times",
    "1.4 million empty lists by 120": "/healthz p50 933 ms; 711 MB",
}


def address(running: Running) -> floods.Address:
    web = urlsplit(running.http)
    return web.hostname or "", web.port or 0


def test_unread_answers(serve: Callable[..., Running], reference: Reference, record: Callable[..., None]) -> None:
    """Long answers, asked for at once by as many as may connect, none of whom reads."""
    running, request = serve(), floods.sentences(1024)
    with Costs(running, singles(running, reference)) as costs:
        with floods.unread(address(running), request, connections=SLOW_READERS), costs.calling():
            time.sleep(15)  # the time that is measured: all is answered, or as much as may wait
        costs.recover(max_kept_mb=MAX_UNREAD_MB / 2)
    figures = costs.figures(sent_bytes=SLOW_READERS * len(request), before="1.8 GB")
    record("HTTP: unread answers", readers=SLOW_READERS, **figures)
    assert costs.grew_mb < MAX_UNREAD_MB
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def test_long_texts_that_wait(serve: Callable[..., Running], reference: Reference, record: Callable[..., None]) -> None:
    """Bodies of four megabytes from as many as may connect: what waits to be read is bounded, and others are served."""
    running, body = serve(), floods.sentences(64, words=8_700)
    with Costs(running, singles(running, reference)) as costs:
        with floods.unread(address(running), body, connections=SLOW_READERS), costs.calling():
            time.sleep(5)  # the time that is measured
        costs.recover(max_kept_mb=MAX_KEPT_MB)
    figures = costs.figures(sent_bytes=SLOW_READERS * len(body), before="885 MB, 793 MB of them kept")
    record("HTTP: long texts that wait", bodies=SLOW_READERS, **figures)
    assert costs.grew_mb < MAX_WAITING_MB
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


@pytest.mark.parametrize("kind", BODIES)
def test_probes_beside_bodies(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None], kind: str
) -> None:
    """Bodies by more connections than there may be, all of one address, beside probes of another and a caller."""
    running, seconds = serve(), form.pick(6, 30)
    with Costs(running, singles(running, reference)) as costs:
        with beside(BODIES[kind], address(running), seconds=seconds + 1) as flooded:
            time.sleep(0.5)  # it has begun
            with costs.calling():
                probed = probe(running, seconds=seconds)
                taken, size = flooded.result()
        costs.recover()
    figures = costs.figures(sent_bytes=size, before=BEFORE[kind])
    answered = [took for took in probed if took is not None]
    slow, slowest = statistics.quantiles(answered, n=20)[-1] * 1000, max(answered) * 1000
    record(
        f"HTTP: {kind}",
        taken=taken,
        probes=len(probed),
        probes_answered=len(answered),
        probes_p50_ms=statistics.median(answered) * 1000,
        probes_p95_ms=slow,
        probes_slowest_ms=slowest,
        **figures,
    )
    assert None not in probed
    assert statistics.median(answered) < USUAL_PROBE_S
    assert costs.grew_mb < MAX_BODIES_MB
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def probe(running: Running, *, seconds: float, source: str = "127.0.0.2") -> list[float | None]:
    """Ask for health from another address ten times a second; returns how long each took, None where it was in vain."""
    host, port = address(running)
    found: list[float | None] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            with closing(HTTPConnection(host, port, timeout=10, source_address=(source, 0))) as connection:
                connection.request("GET", "/healthz")
                found.append(time.monotonic() - began if connection.getresponse().status == 200 else None)
        except OSError:
            found.append(None)
        time.sleep(0.1)  # between two probes
    return found


def test_explanations(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """Sentences that 120 connections of one address have explained, beside a caller of lists over gRPC."""
    running, seconds = serve(), form.pick(5, 30)
    with Costs(running, lists(running, reference)) as costs:
        flood = partial(floods.explanations, connections=120)
        with beside(flood, address(running), seconds=seconds + 1) as flooded:
            time.sleep(0.5)  # it has begun
            with costs.calling():
                taken, size = flooded.result()
        costs.recover()
    figures = costs.figures(sent_bytes=size, before="a caller's list: 6.6 s")
    record("HTTP: explanations", taken=taken, **figures)
    assert set(costs.others.kinds) == {OK}, costs.others.kinds
    assert costs.others.p99_ms < SLOWEST_LIST_MS
