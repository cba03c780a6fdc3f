"""Malformed HTTP/2 and gRPC are cut off or told why; others are answered as ever, in bounded memory.

Each abuse goes on while a good client asks on a connection of its own.
"""

import gzip
import os
import random
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import h2.config
import h2.connection
import h2.events
import pytest

from bothends.server.grpc.select import select
from bothends.settings import GrpcSettings
from bothends.v1 import embedding_pb2

from .conftest import Form
from .hostile import ABUSES, HEADERS, Abuse, message
from .victim import Victim, victim

pytestmark = pytest.mark.chaos
MOST_GROWTH_MB = 150
"""Bound for all abuses together, at the worst moment: gRPC keeps buffers for those that it hasn't cut off yet."""
_SEND_S = 5.0
Headers: TypeAlias = list[tuple[str, str]]


@pytest.fixture(scope="module")
def attacked() -> Iterator[Victim]:
    with victim() as server:
        yield server


@pytest.fixture(scope="module")
def tally() -> dict[str, int]:
    """Counts of what all abuses together sent."""
    return {"connections": 0, "sent_bytes": 0}


def send(abuse: Abuse, chance: random.Random, connection: socket.socket) -> int:
    """Send as much as the server takes, and read nothing of what it says; returns the bytes sent."""
    connection.settimeout(_SEND_S)
    sent, end = 0, time.monotonic() + _SEND_S
    try:
        for piece in abuse(chance):
            connection.sendall(piece)
            sent += len(piece)
            if time.monotonic() > end:
                break
    except OSError:  # cut off, or no longer read
        pass
    return sent


@pytest.mark.parametrize("abuse", ABUSES, ids=lambda abuse: abuse.__name__)
def test_abuse_harms_nobody_else(
    attacked: Victim, tally: dict[str, int], form: Form, record: Callable[..., None], abuse: Abuse
) -> None:
    """A good client is answered while the abuser's connection is open, and once it is closed."""
    chance = random.Random(abuse.__name__)
    for _ in range(form.pick(2, 50)):
        with socket.create_connection(attacked.grpc) as connection:
            tally["sent_bytes"] += send(abuse, chance, connection)
            attacked.answers_right()
        tally["connections"] += 1
    attacked.answers_right()
    growth, slowest = round(attacked.growth_mb), round(attacked.slowest_s * 1e3)
    record("malformed HTTP/2", kinds=len(ABUSES), **tally, growth_mb=growth, slowest_good_answer_ms=slowest, lost=0)
    assert growth < MOST_GROWTH_MB


def ask(server: tuple[str, int], headers: Headers, content: bytes) -> str:
    """Make one call by h2; return the number of its gRPC status or else HTTP's, or "reset" where the stream was."""
    settings = h2.config.H2Configuration(
        header_encoding="utf-8",
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
    )
    protocol = h2.connection.H2Connection(settings)
    protocol.initiate_connection()
    protocol.send_headers(1, headers)
    with socket.create_connection(server, timeout=_SEND_S) as connection:
        while True:
            while content and (room := min(protocol.local_flow_control_window(1), protocol.max_outbound_frame_size)):
                protocol.send_data(1, content[:room], end_stream=len(content) <= room)
                content = content[room:]
            connection.sendall(protocol.data_to_send())
            received = connection.recv(65536)
            if not received:
                return "closed"
            for event in protocol.receive_data(received):
                if isinstance(event, h2.events.StreamReset):
                    return "reset"
                if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    said = dict(event.headers)
                    if "grpc-status" in said:
                        return str(said["grpc-status"])
                    if said.get(":status", "200") != "200":
                        return str(said[":status"])


def changed(name: str, value: str) -> Headers:
    """Return the headers of a good call, one of them changed in its place, or added."""
    found = [(key, value if key == name else old) for key, old in HEADERS]
    return found if (name, value) in found else [*found, (name, value)]


def without(name: str) -> Headers:
    return [(key, value) for key, value in HEADERS if key != name]


def bomb(window_bits: int) -> bytes:
    """Make a message of a gigabyte of zeros in a megabyte, gzip (31) or deflate (15), which takes seconds."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    return message(b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush(), flag=1)


GOOD = embedding_pb2.EmbedRequest(sentences=["there will be dragons"]).SerializeToString()
OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = "0", "3", "8", "12", "13"
CASES: dict[str, tuple[str, Headers, bytes | Callable[[], bytes]]] = {
    "a good call": (OK, HEADERS, message(GOOD)),
    "a good call, gzipped": (OK, changed("grpc-encoding", "gzip"), message(gzip.compress(GOOD), flag=1)),
    "an unknown method": (UNIMPLEMENTED, changed(":path", "/bothends.v1.EmbeddingService/Steal"), message(GOOD)),
    "an unknown service": (UNIMPLEMENTED, changed(":path", "/a.B/C"), message(GOOD)),
    "a path that is none": (UNIMPLEMENTED, changed(":path", "*"), message(GOOD)),
    "no path": ("reset", without(":path"), message(GOOD)),
    "GET": ("reset", changed(":method", "GET"), message(GOOD)),
    "no method": ("reset", without(":method"), message(GOOD)),
    "no te": ("reset", without("te"), message(GOOD)),
    "another scheme": (INTERNAL, changed(":scheme", "file"), message(GOOD)),
    "a prefix that says more": (INVALID_ARGUMENT, HEADERS, message(GOOD, length=len(GOOD) + 5)),
    "a prefix that says less": (INVALID_ARGUMENT, HEADERS, message(GOOD, length=len(GOOD) - 5)),
    "a prefix of 4 GB": (RESOURCE_EXHAUSTED, HEADERS, message(GOOD, length=2**32 - 1)),
    "half a prefix": (INVALID_ARGUMENT, HEADERS, b"\0\0"),
    "an unknown flag": (INVALID_ARGUMENT, HEADERS, message(GOOD, flag=7)),
    "compressed by nothing": (INTERNAL, HEADERS, message(GOOD, flag=1)),
    "an unknown encoding": (INTERNAL, changed("grpc-encoding", "zip"), message(GOOD, flag=1)),
    "gzip that is none": (INTERNAL, changed("grpc-encoding", "gzip"), message(GOOD, flag=1)),
    "a gzip bomb": (RESOURCE_EXHAUSTED, changed("grpc-encoding", "gzip"), partial(bomb, 31)),
    "a deflate bomb": (RESOURCE_EXHAUSTED, changed("grpc-encoding", "deflate"), partial(bomb, 15)),
    "a timeout that is none": (INTERNAL, changed("grpc-timeout", "soon"), message(GOOD)),
    "binary metadata that is none": (INTERNAL, changed("x-bin", "*"), message(GOOD)),
    "a capital letter": (INTERNAL, changed("X-Capital", "x"), message(GOOD)),
    "noise": (INVALID_ARGUMENT, HEADERS, message(b"\xff" * 99)),
    "text that is no UTF-8": (INVALID_ARGUMENT, HEADERS, message(b"\x0a\x03\xed\xa0\x80")),
    "nothing": (INVALID_ARGUMENT, HEADERS, message(b"")),
}
NATIVE = {
    "a path that is none": "reset",  # HTTP/2 allows "*" for OPTIONS only
    "GET": "405",
    "no te": OK,
    "another scheme": OK,
    "a prefix that says more": INTERNAL,
    "a prefix that says less": INTERNAL,
    "half a prefix": INTERNAL,
    "an unknown flag": INTERNAL,
    "an unknown encoding": UNIMPLEMENTED,
    "a deflate bomb": UNIMPLEMENTED,
    "binary metadata that is none": OK,  # that nobody reads
    "a capital letter": "reset",
}
"""Statuses of the native transport where gRPC's own core has others: it keeps to HTTP/2's and gRPC's documents."""


@pytest.mark.parametrize("case", CASES)
def test_a_call_that_is_wrong_is_told_so(attacked: Victim, record: Callable[..., None], case: str) -> None:
    """A wrong call has the status that fits, where there is a stream for it; and bombs aren't unpacked."""
    status, headers, content = CASES[case]
    if select(GrpcSettings(transport=os.environ.get("BOTHENDS_TRANSPORT", "auto"))) == "native":
        status = NATIVE.get(case, status)
    assert ask(attacked.grpc, headers, content if isinstance(content, bytes) else content()) == status
    attacked.answers_right()
    record("wrong gRPC calls", cases=len(CASES), growth_mb=round(attacked.growth_mb), lost=0)
    assert attacked.growth_mb < MOST_GROWTH_MB
