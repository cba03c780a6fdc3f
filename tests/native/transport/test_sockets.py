"""Sockets: of any family, as many as are allowed, and none that is lost."""

import contextlib
import os
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.support.until import TIMEOUT_S, eventually, until

from .raw import ECHO, Raw, framed
from .served import ROW, Served, listening

Serve = Callable[..., Served]


def files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def fill() -> Iterator[int]:
    """Open files until there are no more to be had."""
    with contextlib.suppress(OSError):
        while True:
            yield os.dup(0)


def test_a_unix_socket_beside_a_port(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are the same server."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    served = serve(listening(), listening("socket")).answering()
    with grpc.insecure_channel("unix:socket") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(ECHO)
        assert call(b"x" * 1_000_000, timeout=TIMEOUT_S) == b"x" * 1_000_000
    with served.channel() as channel:
        assert channel.unary_unary(ECHO)(b"y", timeout=TIMEOUT_S) == b"y"


def test_files_are_given_back() -> None:
    """Files of connections that ended in any way, and of the transport itself, are given back."""
    before = files()
    served = Served().answering()
    for end in range(20):
        with Raw(served.port) as raw:
            raw.echo(b"x")
            if end % 2:
                raw.call(ROW, b"\0", ends=False)
            else:
                raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    served.let_go(of_connections=True)
    served.stop()
    del served.transport
    assert files() <= before


def test_an_unused_connection_gives_way(serve: Serve) -> None:
    """The one that has been of no use for the longest, told so; that a call is open, or pings come, is no use."""
    served = serve(max_connections=3)
    with Raw(served.port) as busy, Raw(served.port) as idle, Raw(served.port) as recent:
        busy.echo(b"x")
        served.take_messages()
        idle.call(ROW, ends=False)
        until(lambda: served.figure("calls") == 2)
        recent.over(recent.call("/t.T/No"))

        def joins() -> bool:
            with contextlib.suppress(AssertionError):
                Raw(served.port).__exit__()
                return True
            return False

        assert eventually(joins, within_s=TIMEOUT_S)
        idle.drain()
        assert idle.goaway == (0, b"")
        recent.over(recent.call("/t.T/No"))
        assert served.figure("taken") == 1


@contextlib.contextmanager
def no_file_left() -> Iterator[None]:
    """Keep this process from opening more files in the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(file.name) for file in Path("/proc/self/fd").iterdir()), hard))
    filler = list(fill())
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for file in filler:
            os.close(file)


def test_no_file_left_is_no_end(serve: Serve) -> None:
    """Newcomers are closed at once while all who are connected are served; once there is a file, they are let in."""
    served = serve()
    newcomers = [socket.socket() for _ in range(3)]
    with Raw(served.port) as raw, contextlib.ExitStack() as stack:
        for newcomer in newcomers:
            stack.enter_context(newcomer).settimeout(TIMEOUT_S)
        response = raw.echo(b"x")
        [taken] = served.take_messages()
        with no_file_left():
            for newcomer in newcomers:
                newcomer.connect(("127.0.0.1", served.port))
                assert newcomer.recv(1) == b""
            assert served.figure("connections") == 1
        served.transport.answer([taken.id], [b"x"])
        raw.over(response)
        assert response.content == framed(b"x")
        with Raw(served.port):
            assert served.figure("connections") == 2


def test_where_no_file_is_left_an_unused_connection_gives_way(serve: Serve) -> None:
    """A newcomer is let in for the idlest of the network that has more, as where there are too many connections."""
    served = serve()
    with Raw(served.port) as greedy, Raw(served.port) as idle, socket.socket() as newcomer:
        greedy.over(greedy.call("/t.T/No"))
        newcomer.bind(("127.0.0.2", 0))
        newcomer.settimeout(TIMEOUT_S)
        with no_file_left():
            newcomer.connect(("127.0.0.1", served.port))
            idle.drain()
            assert newcomer.recv(9) == b"\0\0\x12\x04\0\0\0\0\0"  # SETTINGS of 18 bytes: it is let in
            assert served.figure("connections") == 2
