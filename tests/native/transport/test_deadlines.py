"""Deadlines and cancellations: calls that are over for their caller are over for the transport, and for Python."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw, framed
from .served import ROW, STATUSES, Served

Serve = Callable[..., Served]
EXPIRED = STATUSES["expired"][0]
CANCELLED = grpc.StatusCode.CANCELLED.value[0]


@pytest.mark.parametrize("timeout", ["0n", "0H", "1n", "00000000S"])
def test_a_call_without_time_is_refused(echo: Served, timeout: str) -> None:
    """A call whose time is already over is answered DEADLINE_EXCEEDED, and nobody computes for it."""
    with Raw(echo.port) as raw:
        response = raw.call(ECHO, framed(b"x"), headers=[("grpc-timeout", timeout)])
        raw.over(response)
    assert response.status == str(EXPIRED)
    assert echo.messages == []


@pytest.mark.parametrize(
    ("timeout", "seconds"), [("99999999H", None), ("99999999M", None), ("99999999S", 99_999_999), ("1H", 3600)]
)
def test_absurd_timeouts(serve: Serve, timeout: str, seconds: float | None) -> None:
    """A deadline beyond all waiting is none: Python's clocks and locks have an end."""
    served = serve()
    with Raw(served.port) as raw:
        raw.call(ECHO, framed(b"x"), headers=[("grpc-timeout", timeout)])
        [message] = served.take_messages()
        deadline, arrived = message.deadline, message.arrived
        assert (deadline and deadline - arrived) == (seconds and pytest.approx(seconds))


@pytest.mark.timing
def test_a_deadline_passes_while_python_has_the_call(serve: Serve) -> None:
    """Python is told, and counts it. It measures time: the call has to be taken before its deadline."""
    served = serve()
    with Raw(served.port) as raw, ThreadPoolExecutor(1) as python:
        taking = python.submit(served.take_messages)  # before it comes: it has no time to wait for a busy machine
        response = raw.call(ECHO, framed(b"x"), headers=[("grpc-timeout", "200m")])
        [message] = taking.result()
        raw.over(response)
        assert response.status == str(EXPIRED)
        assert served.look(1, TIMEOUT_S) == ([], [message.id])
        served.transport.answer([message.id], [b"late"])
        served.let_go()
    assert served.count() == []


def test_a_lost_connection_ends_all_its_calls(serve: Serve) -> None:
    """Waiting, being read, and unread: each counted once, and nothing of them is left."""
    served = serve()
    with Raw(served.port, reads=False, window=10) as raw:
        raw.echo(b"x" * 1000)
        served.transport.answer([served.take_messages()[0].id], [b"x" * 1000])
        raw.echo(b"waits")
        raw.call(ECHO, b"\0\0\0", ends=False)
        raw.call(ROW, framed(b"r"), ends=False)
        until(lambda: served.figure("waiting") == 2)
    served.let_go(of_connections=True)
    assert sorted(served.count()) == [(0, CANCELLED, ""), (0, CANCELLED, ""), (1, CANCELLED, "")]
