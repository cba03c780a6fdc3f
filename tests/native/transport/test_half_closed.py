"""Connections that their callers have closed for sending: what came whole is answered, unless nobody is there."""

import socket
from collections.abc import Callable

from tests.support.until import until

from .raw import ECHO, Raw, framed
from .served import Served

Serve = Callable[..., Served]


def test_a_caller_that_sends_no_more_is_answered(serve: Serve) -> None:
    """A request that came whole is answered, whenever that is ready; then the connection ends, with what never did."""
    served = serve()
    with Raw(served.port) as raw:
        whole, half = raw.echo(b"x"), raw.call(ECHO, ends=False)
        [taken] = served.take_messages()
        until(lambda: served.figure("calls") == 2)
        sent = served.figure("sent_bytes")
        raw.socket.shutdown(socket.SHUT_WR)
        until(lambda: served.figure("sent_bytes") > sent or served.figure("connections") == 0)
        assert served.figure("connections") == 1
        served.transport.answer([taken.id], [b"X"])
        raw.drain()
        assert (whole.content, whole.status, half.is_over) == (framed(b"X"), "0", False)
    served.let_go(of_connections=True)


def test_a_large_answer_to_a_caller_that_sends_no_more(serve: Serve) -> None:
    """An answer is sent as far as the caller's window allows, however slowly it is read."""
    served = serve()
    with Raw(served.port, window=1 << 30, receives=4096) as raw:
        raw.http.increment_flow_control_window(1 << 30)
        raw.flush()
        whole = raw.echo(b"x")
        [taken] = served.take_messages()
        raw.socket.shutdown(socket.SHUT_WR)
        served.transport.answer([taken.id], [b"X" * 3_000_000])
        raw.drain()
        assert (len(whole.content), whole.status) == (5 + 3_000_000, "0")
    served.let_go(of_connections=True)


def test_a_caller_that_is_gone_is_not_served(serve: Serve) -> None:
    """A socket that is closed altogether looks as if its caller sent no more, until something is sent to it."""
    served = serve()
    with Raw(served.port) as raw:
        raw.echo(b"x")
        [taken] = served.take_messages()
    served.let_go(of_connections=True)
    _, gone = served.look(0, 0.0)
    assert [*served.gone, *gone] == [taken.id]
