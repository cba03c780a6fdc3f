"""Drains: nothing but answers that are owed holds them up, and those not for long."""

import socket
import threading
from collections.abc import Callable

from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw, framed
from .served import PROBE, STATUSES, Served
from .test_tls import show

Serve = Callable[..., Served]
DRAINING = str(STATUSES["draining"][0])


def test_requests_that_have_not_come_whole_hold_up_no_drain(serve: Serve) -> None:
    """Calls of which headers or half a message have come are over at once; a message that is whole is answered."""
    served = serve()
    with Raw(served.port) as raw:
        silent, half = raw.call(ECHO, ends=False), raw.echo(b"half", ends=False)
        torn, whole = raw.call(ECHO, framed(b"torn")[:-1], ends=False), raw.echo(b"whole")
        taken = {message.content: message.id for message in served.take_messages(2)}
        until(lambda: served.figure("calls") == 4)
        served.transport.drain()
        raw.over(silent, torn)
        assert (silent.status, torn.status) == (DRAINING, DRAINING)
        served.transport.answer([taken[b"whole"], taken[b"half"]], [b"W", b"H"])
        raw.over(whole, half)
        assert (whole.content, half.content) == (framed(b"W"), framed(b"H"))
        assert served.transport.wait_idle(TIMEOUT_S)


def test_answers_that_nobody_reads_hold_up_no_drain(serve: Serve) -> None:
    """An accepted call's answer has a few seconds from then on, a probe's none."""
    served = serve()
    with Raw(served.port, reads=False, window=0) as probing, Raw(served.port, reads=False, window=0) as calling:
        probing.call(PROBE, framed(b"p"))
        served.transport.answer([served.take_messages()[0].id], [b"P" * 100])
        until(lambda: served.figure("unread_bytes") > 0)
        served.transport.drain()
        assert served.transport.wait_idle(0)
    served = serve()
    with Raw(served.port, reads=False, window=0) as calling:
        calling.echo(b"x")
        served.transport.answer([served.take_messages()[0].id], [b"X" * 100])
        served.transport.drain()
        assert not served.transport.wait_idle(0)
        assert served.transport.wait_idle(TIMEOUT_S)
        assert served.figure("calls") == 0


def test_handshakes_hold_up_no_end(serve: Serve) -> None:
    """A connection that hasn't shaken hands owes nothing to anybody: it is closed at once."""
    served = serve(caller_timeout_s=10 * TIMEOUT_S)
    show(served)
    with socket.create_connection(("127.0.0.1", served.port), TIMEOUT_S) as silent:
        until(lambda: served.figure("connections") == 1)
        served.transport.drain()
        assert served.transport.wait_idle(0)
        stopping = threading.Thread(target=served.transport.stop, args=(10 * TIMEOUT_S,))
        stopping.start()
        assert silent.recv(1) == b""
        stopping.join(TIMEOUT_S)
        assert not stopping.is_alive()
