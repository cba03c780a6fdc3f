"""Attacks: what they cost is bounded, a neighbour stays served, and nothing is left once they are over."""

import socket
import struct
import time
from collections.abc import Iterator

import pytest
from hpack import Encoder

from tests.chaos.hostile import PATH, begun, message, raw

from .raw import ECHO, Raw
from .served import ROW
from .victim import MAX_GROWTH_MB, SMALL, Victim

# How much memory a process keeps of what it has freed is decided by what else runs, too.
pytestmark = pytest.mark.timing

SEND_S = 5
"""Time after which an abuse that nobody stops has lasted long enough."""
HEADERS, DATA, RST_STREAM = 1, 0, 3


def send(port: int, pieces: Iterator[bytes], *, receives: int | None = None) -> socket.socket:
    """Send as much as the transport takes, and read nothing of what it says."""
    connection = socket.socket()
    if receives:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    connection.settimeout(SEND_S)
    connection.connect(("127.0.0.1", port))
    end = time.monotonic() + SEND_S
    try:
        for piece in pieces:
            connection.sendall(piece)
            if time.monotonic() > end:
                break
    except OSError:  # cut off, or no longer read
        pass
    return connection


def resets() -> Iterator[bytes]:
    """Whole calls, each reset at once (CVE-2023-44487), for as long as it is borne."""
    block = bytes(
        Encoder().encode(
            [(":method", "POST"), (":scheme", "http"), (":path", ECHO), ("content-type", "application/grpc")]
        )
    )
    yield begun()
    for first in range(1, 400_000, 200):
        yield b"".join(
            raw(HEADERS, 4, stream, block)
            + raw(DATA, 1, stream, message(b"x" * 50))
            + raw(RST_STREAM, 0, stream, struct.pack(">I", 8))
            for stream in range(first, first + 200, 2)
        )


def test_rapid_resets_end_the_connection(victim: Victim) -> None:
    """Sooner than they cost anybody much."""
    begun_before = victim.vitals()["calls_begun"]
    with send(victim.port, resets()):
        victim.is_answered()
    victim.let_go()
    assert victim.vitals()["calls_begun"] - begun_before < 20_000


def unacknowledged() -> Iterator[bytes]:
    """Calls beyond the bound on streams by a peer that reads nothing: each has to be refused by a frame that waits."""
    yield begun()
    block = bytes(
        Encoder().encode(
            [(":method", "POST"), (":scheme", "http"), (":path", PATH), ("content-type", "application/grpc")]
        )
    )
    for first in range(1, 2_000_000, 2000):
        yield b"".join(raw(HEADERS, 4, stream, block) for stream in range(first, first + 2000, 2))


def test_refused_streams_are_not_queued_for_a_peer_that_reads_nothing(victim: Victim) -> None:
    """The queue of frames is bounded, and the connection with it."""
    with send(victim.port, unacknowledged(), receives=4096):
        victim.is_answered()
        assert victim.growth_mb < MAX_GROWTH_MB
    victim.let_go()


def test_streams_that_are_opened_and_left(victim: Victim) -> None:
    """Headers that are kept for open streams are bounded as requests are."""
    kept = [(":path", ROW), ("x-note", "k" * 15_000), ("content-type", "application/grpc")]
    block = bytes(Encoder().encode([(":method", "POST"), (":scheme", "http"), *kept], huffman=False))
    attackers = []
    for _ in range(10):
        attackers.append(Raw(victim.port))
        attackers[-1].socket.sendall(b"".join(raw(HEADERS, 4, stream, block) for stream in range(1, 401, 2)))
        victim.is_answered()
    assert victim.vitals()["held_bytes"] <= SMALL["held_total_bytes"]
    assert victim.growth_mb < MAX_GROWTH_MB
    for attacker in attackers:
        attacker.__exit__()
    victim.let_go()
