"""HTTP/2 as nobody should write it to the port of HTTP, whose calls are POSTs of JSON."""

import random
from collections.abc import Iterator

from hyperframe.frame import DataFrame, RstStreamFrame, SettingsFrame

from .fields import unindexed
from .hostile import ABUSES, FLOOD, Abuse, begun, block, headers
from .published import PUBLISHED

CALL = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/v1/embeddings"),
    (":authority", "localhost"),
    ("content-type", "application/json"),
]
"""Headers of a call as the port of HTTP takes it."""
_SENTENCE = b'{"model":"english","input":"hello"}'


def rapid_reset_of_http(_: random.Random) -> Iterator[bytes]:
    """Calls over HTTP opened and reset at once."""
    yield begun()
    body, named = DataFrame(1, _SENTENCE, flags=["END_STREAM"]), block(CALL)
    for stream in range(1, 2 * FLOOD, 2):
        body.stream_id = stream
        yield headers(stream, named) + body.serialize() + RstStreamFrame(stream, error_code=8).serialize()


def half_open_http(_: random.Random) -> Iterator[bytes]:
    """Hundreds of calls over HTTP whose bodies come by a byte."""
    yield begun()
    for stream in range(1, 601, 2):
        yield headers(stream, block(CALL)) + DataFrame(stream, b"{").serialize()


def unread_http(_: random.Random) -> Iterator[bytes]:
    """Calls over HTTP by the thousand, of answers for which there is no window."""
    yield begun(SettingsFrame(0, {4: 0}))
    for stream in range(1, FLOOD, 2):
        yield headers(stream, block(CALL)) + DataFrame(stream, _SENTENCE, flags=["END_STREAM"]).serialize()


def lying_http(chance: random.Random) -> Iterator[bytes]:
    """Calls over HTTP whose content-length isn't that of their body."""
    yield begun()
    for stream in range(1, 201, 2):
        length = str(len(_SENTENCE) + chance.choice([-30, -1, 1, 10**9]))
        content = block([*CALL, ("content-length", length)])
        yield headers(stream, content) + DataFrame(stream, _SENTENCE, flags=["END_STREAM"]).serialize()


def odd_http(chance: random.Random) -> Iterator[bytes]:
    """Calls over HTTP whose headers stand for no HTTP/1.1, as where a proxy would write them anew."""
    odd = [
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("content-length", "1, 2"),
        (":path", "/v1/embeddings HTTP/1.1\r\nx: y"),
        ("x", "a\r\nb: c"),
        ("x\r\ny", "z"),
        ("host", "other"),
        (":method", "GET / HTTP/1.1\r\n"),
        ("X", "y"),
    ]
    yield begun()
    for stream in range(1, 101, 2):
        content = unindexed([*CALL, chance.choice(odd)])
        yield headers(stream, content) + DataFrame(stream, _SENTENCE, flags=["END_STREAM"]).serialize()


HTTP_ABUSES: list[Abuse] = [
    *ABUSES,
    *PUBLISHED,
    rapid_reset_of_http,
    half_open_http,
    unread_http,
    lying_http,
    odd_http,
]
"""Abuses of the port of HTTP, where the others' calls are requests of the application."""
