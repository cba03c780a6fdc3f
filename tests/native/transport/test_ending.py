"""Ends: draining, stopping, idle and old connections. Whoever is served is served to the end."""

import signal
import socket
import threading
from collections.abc import Callable

import pytest

from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw, framed
from .served import ROW, STATUSES, Served

Serve = Callable[..., Served]
DRAINING = str(STATUSES["draining"][0])


def test_streams_end_once_what_was_read_of_them_is_answered(serve: Serve) -> None:
    """UNAVAILABLE, except where their caller had said all: then nothing is lost, and it's OK."""
    served = serve()
    with Raw(served.port) as raw:
        half, whole = raw.call(ROW, framed(b"a", b"b"), ends=False), raw.call(ROW, framed(b"c"))
        idle = raw.call(ROW, ends=False)
        taken = {message.content: message.id for message in served.take_messages(3)}
        served.transport.drain()
        raw.send(half, framed(b"late"))
        raw.over(idle)
        assert idle.status == DRAINING
        served.transport.answer([taken[content] for content in (b"b", b"c", b"a")], [b"B", b"C", b"A"])
        raw.over(half, whole)
        assert (half.content, half.status) == (framed(b"A", b"B"), DRAINING)
        assert (whole.content, whole.status) == (framed(b"C"), "0")
        assert served.transport.wait_idle(TIMEOUT_S)
    assert sorted(served.count()) == [(1, 0, ""), (1, 14, "draining"), (1, 14, "draining")]


def test_a_signal_is_heard_while_the_transport_is_waited_for(serve: Serve) -> None:
    """Python runs handlers in the main thread only, which waits here: a second SIGTERM means now."""

    class ToldError(Exception):
        pass

    def told(*_: object) -> None:
        raise ToldError

    served, before = serve(), signal.signal(signal.SIGUSR1, told)
    try:
        with Raw(served.port) as raw:
            raw.call(ECHO, ends=False)
            until(lambda: served.figure("slots") == 1)
            timer = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
            with pytest.raises(ToldError):  # noqa: PT012  which a busy machine raises before it waits
                timer.start()
                served.transport.wait_idle(TIMEOUT_S)
            timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_stop_sends_what_is_left(serve: Serve) -> None:
    """GOAWAY to each connection, and answers within the grace; take returns None; nobody can connect."""
    served = serve()
    with Raw(served.port) as raw, Raw(served.port) as idle:
        response = raw.echo(b"x")
        [taken] = served.take_messages()
        stopping = threading.Thread(target=served.transport.stop, args=(TIMEOUT_S,))
        stopping.start()
        idle.drain()
        assert idle.goaway == (0, b"")
        raw.wait(lambda: raw.goaway is not None)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", served.port))
        served.transport.answer([taken.id], [b"X" * 1_000_000])
        raw.over(response)
        assert response.content == framed(b"X" * 1_000_000)
        raw.drain()
        stopping.join(TIMEOUT_S)
        assert not stopping.is_alive()
    assert served.transport.take_messages(1, TIMEOUT_S) is None
    served.transport.stop(0)
    with pytest.raises(RuntimeError, match="starts once"):
        served.transport.start()


def test_stop_wakes_whoever_waits(serve: Serve) -> None:
    """All who wait in take, at once: the one who looks at the sockets, too."""
    served = serve()
    found: list[object] = []
    takers = [
        threading.Thread(target=lambda: found.append(served.transport.take_messages(1, 10 * TIMEOUT_S)))
        for _ in range(4)
    ]
    for taker in takers:
        taker.start()
    with Raw(served.port) as raw:
        raw.over(raw.call("/t.T/No"))
        served.transport.stop(0)
        raw.drain()
    for taker in takers:
        taker.join(TIMEOUT_S)
    assert found == [None] * 4


def test_stop_without_grace_ends_calls(serve: Serve) -> None:
    """Connections are closed, and calls that nobody took are counted as cancelled."""
    served = serve()
    with Raw(served.port) as raw:
        raw.echo(b"taken")
        served.take_messages()
        raw.echo(b"waits")
        raw.call(ROW, ends=False)
        until(lambda: served.figure("calls") == 3)
        served.stop()
        raw.drain()
    assert sorted(served.count()) == [(0, 1, ""), (1, 1, "")]


def test_a_transport_that_never_began_ends(serve: Serve) -> None:
    """Stopping twice, and from two threads, is stopping."""
    served = serve()
    threads = [threading.Thread(target=served.transport.stop, args=(1,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert served.transport.take_messages(1, 0.0) is None


def test_an_idle_connection_is_told_to_go(serve: Serve) -> None:
    """Twice, so that no call is lost that is on its way when it is told."""
    served = serve(idle_s=0.05).answering()
    with Raw(served.port) as raw:
        raw.over(raw.echo(b"x"))
        raw.wait(lambda: raw.goaway is not None)
        raw.drain()
        assert raw.goaway == (0, b"")
    served.let_go(of_connections=True)


def test_an_old_connection_ends_once_its_calls_have(serve: Serve) -> None:
    """However many times it was told."""
    served = serve(age_s=0.05, age_grace_s=TIMEOUT_S)
    with Raw(served.port) as raw:
        response = raw.echo(b"x")
        raw.wait(lambda: raw.goaway is not None)
        served.transport.answer([served.take_messages()[0].id], [b"X"])
        raw.over(response)
        assert response.content == framed(b"X")
        raw.drain()
    served.let_go(of_connections=True)


def test_an_old_connections_grace_ends(serve: Serve) -> None:
    """Calls that are still open after the grace end with their connection."""
    served = serve(age_s=1, age_grace_s=0.1)  # time enough for a busy machine to begin the call
    with Raw(served.port) as raw:
        raw.call(ROW, ends=False)
        raw.drain()
        assert raw.goaway == (0, b"")
    served.let_go(of_connections=True)
    assert served.count() == [(1, 1, "")]


def test_calls_that_cross_the_notice_are_answered(serve: Serve) -> None:
    """Calls of a caller who hasn't read yet that its connection is too old are served as any others."""
    served = serve(age_s=0.05, age_grace_s=TIMEOUT_S).answering()
    with Raw(served.port) as raw:
        raw.wait(lambda: raw.goaway is not None)
        raw.go_on()
        late = [raw.echo(b"x") for _ in range(3)]
        raw.over(*late)
        assert [response.content for response in late] == [framed(b"x")] * 3
        raw.drain()
    served.let_go(of_connections=True)


def test_a_caller_that_says_goodbye_is_served_to_the_end(serve: Serve) -> None:
    """GOAWAY of theirs: their open calls are answered, then the connection ends."""
    served = serve()
    with Raw(served.port) as raw:
        response = raw.echo(b"x")
        [taken] = served.take_messages()
        raw.http.close_connection()
        raw.go_on()
        raw.flush()
        served.transport.answer([taken.id], [b"X"])
        raw.over(response)
        assert response.content == framed(b"X")
    served.let_go(of_connections=True)
