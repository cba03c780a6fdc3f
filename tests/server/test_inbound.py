"""Responses on their way, counted until each is on the wire."""

import threading
from concurrent.futures import ThreadPoolExecutor

from bothends.server.inbound import Outbox
from tests.support.until import TIMEOUT_S


def test_it_waits_for_the_last_response() -> None:
    """Whichever thread sends it."""
    outbox, waits = Outbox(), threading.Event()
    outbox.put()
    outbox.put()

    def wait() -> bool:
        waits.set()
        return outbox.wait(TIMEOUT_S)

    with ThreadPoolExecutor(1) as other:
        empty = other.submit(wait)
        assert waits.wait(TIMEOUT_S)
        outbox.sent(None)
        assert not empty.done()
        outbox.sent(None)
        assert empty.result(TIMEOUT_S)


def test_a_response_that_never_leaves_is_reported() -> None:
    """The wait ends after its bound, with False; nothing on its way is True at once."""
    outbox = Outbox()
    assert outbox.wait(0)
    outbox.put()
    assert not outbox.wait(0.01)
