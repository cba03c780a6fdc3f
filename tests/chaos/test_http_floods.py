"""Callers over HTTP who only want to be a burden cost gRPC's callers little, keep nobody out, and fill no memory."""

import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bothends.server.keys import new
from tests.support.serving import Running
from tests.support.until import until

from . import floods
from .answers import Reference
from .callers import OK, Caller, Tally, call_until
from .conftest import Form
from .storms import beside
from .vitals import vitals

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
SLOW_READERS, HOLDERS = 125, 135
MOST_WAITING_MB, MOST_KEPT_MB = 700, 400
"""Memory for 125 bodies of 4 MB: all of them while they come, of which 67 MB may wait; and what is kept afterwards."""
MOST_UNREAD_MB = 500
"""Memory for 125 unread answers: 128 MB that are sent, 128 MB in the making, and what is around them."""


def address(running: Running) -> floods.Address:
    web = urlsplit(running.http)
    return web.hostname or "", web.port or 0


def neighbour(running: Running, reference: Reference, seconds: float, key: str | None = None) -> Tally:
    """Have a caller over gRPC ask for a sentence again and again."""
    end = time.monotonic() + seconds
    with Caller(running.target, reference.only(range(1, 20)), seed=1, most=1, key=key) as caller:
        return call_until(caller, lambda _: time.monotonic() < end)


def test_floods(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None], tmp_path: Path
) -> None:
    """Bodies of tiny chunks without a key, and pages asked for by many at once, beside a caller over gRPC."""
    key, lines = new("neighbour")
    (tmp_path / "keys.toml").write_text(lines)
    running, seconds = serve("--api-keys", str(tmp_path / "keys.toml")), form.pick(4, 30)
    neighbour(running, reference, 1, key)  # warms the engine
    alone = neighbour(running, reference, seconds, key)
    kinds = {
        "chunks without a key": partial(floods.chunks, connections=4),
        "scrapes by 16": partial(floods.scrapes, connections=16),
        "the page's numbers by 16": partial(floods.scrapes, connections=16, path="/live"),
    }
    for name, flood in kinds.items():
        with beside(flood, address(running), seconds=seconds + 1) as flooded:
            time.sleep(0.5)  # it has begun
            others = neighbour(running, reference, seconds, key)
            taken = flooded.result()
        lost = sum(others.kinds.values()) - others.kinds[OK]
        record(f"HTTP: {name}", lost=lost, taken=taken, others=others.kinds[OK],
               others_p50_alone_ms=alone.percentile_ms(50), others_p50_ms=others.percentile_ms(50),
               others_p99_alone_ms=alone.p99_ms, others_p99_ms=others.p99_ms)  # fmt: skip
        assert set(others.kinds) == {OK}, (name, others.kinds)


def test_unread_answers(serve: Callable[..., Running], record: Callable[..., None]) -> None:
    """Long answers, asked for at once by as many as may connect, none of whom reads."""
    running = serve()
    before, most = vitals(running.process.pid).rss_mb, 0.0
    with floods.unread(address(running), floods.sentences(1024), connections=SLOW_READERS):
        end = time.monotonic() + 15
        while time.monotonic() < end:
            most = max(most, vitals(running.process.pid).rss_mb)
            time.sleep(0.1)  # between two looks at the memory
    until(lambda: vitals(running.process.pid).rss_mb - before < MOST_UNREAD_MB / 2)
    after = vitals(running.process.pid).rss_mb
    record("HTTP: unread answers", readers=SLOW_READERS, grew_mb=most - before, kept_mb=after - before)
    assert most - before < MOST_UNREAD_MB


def test_long_texts_that_wait(serve: Callable[..., Running], reference: Reference, record: Callable[..., None]) -> None:
    """Bodies of four megabytes from as many as may connect: what waits to be read is bounded, and others are served."""
    running = serve()
    neighbour(running, reference, 1)  # warms the engine
    alone, body = neighbour(running, reference, 3), floods.sentences(64, words=8_700)
    before, most, began = vitals(running.process.pid).rss_mb, 0.0, time.monotonic()
    with floods.unread(address(running), body, connections=SLOW_READERS), ThreadPoolExecutor(1) as other:
        asked = other.submit(neighbour, running, reference, 5)
        while not asked.done():
            most = max(most, vitals(running.process.pid).rss_mb)
            time.sleep(0.05)  # between two looks at the memory
        others = asked.result()
    until(lambda: vitals(running.process.pid).rss_mb - before < MOST_KEPT_MB)
    record("HTTP: long texts that wait", bodies=SLOW_READERS, sent_bytes=SLOW_READERS * len(body),
           grew_mb=most - before, kept_mb=vitals(running.process.pid).rss_mb - before,
           recovery_s=time.monotonic() - began - 5, lost=sum(others.kinds.values()) - others.kinds[OK],
           others_p50_alone_ms=alone.percentile_ms(50), others_p50_ms=others.percentile_ms(50),
           others_p99_alone_ms=alone.p99_ms, others_p99_ms=others.p99_ms)  # fmt: skip
    assert most - before < MOST_WAITING_MB
    assert set(others.kinds) == {OK}, others.kinds


def test_connections_that_are_held(serve: Callable[..., Running], record: Callable[..., None]) -> None:
    """Keep-alive connections, more than there may be, each used every four seconds."""
    running, health = serve(), 0
    with floods.Holders(address(running), connections=HOLDERS, every_s=4):
        end = time.monotonic() + 10
        tries = 0
        while time.monotonic() < end:
            tries += 1
            with suppress(OSError), urllib.request.urlopen(f"{running.http}/healthz", timeout=1) as page:
                health += page.status == 200
            time.sleep(0.1)  # between two probes
    record("HTTP: connections held", held=HOLDERS, probes=tries, answered=health)
    assert health == tries
