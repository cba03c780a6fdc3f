"""Callers over HTTP who only want to be a burden cost gRPC's callers little, keep nobody out, and fill no memory."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.support.serving import Running

from . import floods
from .answers import Reference
from .callers import OK
from .costs import Costs, singles

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
SLOW_READERS = 125
MAX_WAITING_MB, MAX_KEPT_MB = 350, 300
"""Memory for 125 bodies of 4 MB, of which 67 MB may be on their way and as many wait; and what is kept afterwards."""
MAX_UNREAD_MB = 500
"""Memory for 125 unread answers: 128 MB that are sent, 128 MB in the making, and what is around them."""


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
