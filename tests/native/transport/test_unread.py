"""Answers that are not read, or a little at a time: they are bounded, and cost the neighbour nothing."""

import contextlib
import socket
import struct
from pathlib import Path

import pytest
from h2.exceptions import ProtocolError

from tests.chaos.hostile import raw
from tests.support.until import until

from .raw import ECHO, Raw, framed, several
from .served import ROW
from .victim import GIVE, MAX_GROWTH_MB, SMALL, Victim

# How much memory a process keeps of what it has freed is decided by what else runs, too.
pytestmark = pytest.mark.timing

SETTINGS, WINDOW_UPDATE = 4, 8
SOCKET, RECEIVES = socket.SOL_SOCKET, socket.SO_RCVBUF
MAX_QUEUED = 512 << 10
"""Bytes that the kernel may hold for a connection: what it may keep unsent, and what loopback has on its way."""


def queued(port: int) -> int:
    """Bytes that the kernel holds to be sent from a port, or acknowledged."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[4].partition(":")[0], 16) for line in lines if line[1].endswith(f":{port:04X}"))


def test_answers_that_nobody_reads(victim: Victim) -> None:
    """Windows of nothing and sockets that nobody reads fill no memory, with large answers or with many."""
    with several(victim.port, 8, reads=False, window=0) as attackers:
        for attacker in attackers:
            for _ in range(40):
                attacker.call(ECHO, framed(GIVE + b"400000"))
            victim.is_answered()
            assert victim.growth_mb < 2 * MAX_GROWTH_MB
        until(lambda: victim.vitals()["unread_bytes"] <= SMALL["unread_total_bytes"])
    victim.let_go()


def test_the_kernel_holds_little_of_answers_that_nobody_reads(victim: Victim) -> None:
    """Most of them is where it is counted: neither in the socket nor between it and HTTP/2."""
    answers, size = 8, 400_000
    with Raw(victim.port, reads=False, window=1 << 30, receives=4096) as attacker:
        attacker.http.increment_flow_control_window(1 << 30)
        for _ in range(answers):
            attacker.call(ECHO, framed(GIVE + str(size).encode()))

        def counted() -> float:
            return victim.vitals()["unread_bytes"] + queued(victim.port) + attacker.socket.getsockopt(SOCKET, RECEIVES)

        until(lambda: counted() >= answers * size)
        assert queued(victim.port) <= MAX_QUEUED
    victim.let_go()


def test_a_stream_that_is_never_all_read_holds_only_what_is_unread(victim: Victim) -> None:
    """However much passes by it."""
    size, each = 100_005, 8
    with Raw(victim.port, reads=False, window=0) as attacker:
        attacker.http.increment_flow_control_window(1 << 30)
        response = attacker.call(ROW, framed(GIVE + b"100000"), ends=False)
        before = victim.kept_mb
        for _ in range(40):
            attacker.send(response, framed(*[GIVE + b"100000"] * each))
            attacker.http.increment_flow_control_window(size * each, attacker.stream_of(response))
            attacker.flush()
            attacker.wait(lambda: len(response.content) == size * each)
            response.content = b""
        assert victim.vitals()["unread_bytes"] == size
        assert victim.kept_mb - before < 16
    victim.let_go()


def test_windows_of_a_byte_at_a_time(victim: Victim) -> None:
    """Each costs a frame, and no more than that."""
    with Raw(victim.port, reads=False, window=0) as attacker:
        response = attacker.call(ECHO, framed(GIVE + b"100000"))
        stream = attacker.stream_of(response)
        for _ in range(200):
            attacker.socket.sendall(raw(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1)) * 100)
            victim.is_answered()
    victim.let_go()


def test_windows_that_change_for_many_streams(victim: Victim) -> None:
    """SETTINGS that widen and narrow the windows of hundreds of unread answers."""
    with Raw(victim.port, reads=False, window=0) as attacker:
        for _ in range(200):
            attacker.call(ECHO, framed(GIVE + b"1000"))
        for size in range(300):
            attacker.socket.sendall(raw(SETTINGS, 0, 0, struct.pack(">HI", 4, size % 2)))
            if size % 30 == 0:
                victim.is_answered()
    victim.let_go()


def test_windows_past_their_end(victim: Victim) -> None:
    """An error of the stream or the connection, as HTTP/2 says, and of nobody else."""
    for stream_or_all in (True, False):
        with Raw(victim.port, reads=False, window=0) as attacker:
            response = attacker.call(ECHO, framed(GIVE + b"1000"))
            frame = raw(WINDOW_UPDATE, 0, attacker.stream_of(response) * stream_or_all, struct.pack(">I", 2**31 - 1))
            attacker.socket.sendall(frame * 2)
            with contextlib.suppress(AssertionError, ProtocolError):
                attacker.wait(lambda: response.is_over or attacker.goaway)  # noqa: B023
            victim.is_answered()
    victim.let_go()
