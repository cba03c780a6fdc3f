"""Bytes that are counted as they pass."""

import socket

import pytest

pytest.importorskip("psutil", exc_type=ModuleNotFoundError)
from footprint import Counter


def test_bytes_are_counted_each_way_as_they_pass() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Counter(listener.getsockname()[1]) as counter:
        with socket.create_connection(("127.0.0.1", counter.port)) as near, listener.accept()[0] as far:
            near.sendall(b"x" * 1000)
            got = b""
            while len(got) < 1000:
                got += far.recv(1000)
            far.sendall(b"y" * 30)
            back = near.recv(30, socket.MSG_WAITALL)
        assert (got, back) == (b"x" * 1000, b"y" * 30)
        assert (counter.up, counter.down) == (1000, 30)
