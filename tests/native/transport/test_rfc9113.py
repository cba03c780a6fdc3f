"""Wrong frames of HTTP/2 and HPACK, section by section: which error is told, to whom, and what is borne."""

import socket
import struct
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from hpack import Encoder
from hyperframe.frame import Frame, GoAwayFrame, PingFrame, RstStreamFrame

from tests.chaos.hostile import HEADERS, PREFACE, begun, raw
from tests.support.until import TIMEOUT_S

from .raw import ECHO, Raw, framed
from .served import Served

DATA, HEAD, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
ENDS, WHOLE, PADDED, WEIGHED = 1, 4, 8, 32
"""Flags: END_STREAM or ACK, END_HEADERS, PADDED, PRIORITY."""
PROTOCOL, FLOW, CLOSED, SIZE, COMPRESSION = 1, 3, 5, 6, 9
X_TEST = b"\x00\x85\xf2\xb2\x4a\x84\xff"
"""A new name by Huffman's code, before its value."""


def block(*pairs: tuple[str, str], without: str = "") -> bytes:
    """A call's headers, with others after them, or with one of them missing."""
    usual = [(name, ECHO if name == ":path" else value) for name, value in HEADERS if name != without]
    return bytes(Encoder().encode([*usual, *pairs]))


def call(stream: int = 1, content: bytes | None = None, flags: int = WHOLE) -> bytes:
    return raw(HEAD, flags, stream, block() if content is None else content)


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def setting(identifier: int, value: int) -> bytes:
    return raw(SETTINGS, 0, 0, struct.pack(">HI", identifier, value))


TRAILER = bytes(Encoder().encode([("x", "a\r\nb")]))
BORNE = None
CONNECTION = {
    "4.1 a frame of an unknown kind": (raw(0x16, 0, 0, b"?"), BORNE),
    "4.2 HEADERS beyond the largest frame": (call(1, bytes(16_385)), SIZE),
    "4.3 a block that can't be read": (call(1, b"\x40\x01"), COMPRESSION),
    "4.3 another frame inside of a block": (call(1, flags=0) + raw(PING, 0, 0, bytes(8)), PROTOCOL),
    "5.1 DATA to an idle stream": (raw(DATA, ENDS, 1, b"x"), PROTOCOL),
    "5.1 CONTINUATION of nothing": (raw(CONTINUATION, WHOLE, 1, b""), PROTOCOL),
    "5.1 DATA after the end": (call(flags=WHOLE | ENDS) + raw(DATA, ENDS, 1, b"x"), CLOSED),
    "5.1 HEADERS after the end": (call(flags=WHOLE | ENDS) + call(), CLOSED),
    "5.1.1 an even stream": (call(2), PROTOCOL),
    "5.1 DATA after RST_STREAM": (call() + raw(RESET, 0, 1, number(8)) + raw(DATA, ENDS, 1, b"x"), BORNE),  # dropped
    "5.1 HEADERS after RST_STREAM": (call() + raw(RESET, 0, 1, number(8)) + call(), CLOSED),
    "5.1.1 a stream below another": (call(5) + call(3), PROTOCOL),
    "5.5 an unknown kind inside of a block": (call(1, flags=0) + raw(0x16, 0, 1, b""), PROTOCOL),
    "6.1 DATA to no stream": (raw(DATA, 0, 0, b"x"), PROTOCOL),
    "6.1 DATA with more padding than it has bytes": (call() + raw(DATA, PADDED, 1, b"\x05abc"), PROTOCOL),
    "6.2 HEADERS to no stream": (call(0), PROTOCOL),
    "6.3 PRIORITY of two bytes": (raw(PRIORITY, 0, 1, bytes(2)), SIZE),
    "6.4 RST_STREAM of three bytes": (call() + raw(RESET, 0, 1, bytes(3)), SIZE),
    "6.5 SETTINGS of three bytes": (raw(SETTINGS, 0, 0, bytes(3)), SIZE),
    "6.5 an acknowledgement that says something": (raw(SETTINGS, ENDS, 0, bytes(6)), SIZE),
    "6.5.2 ENABLE_PUSH of 2": (setting(2, 2), PROTOCOL),
    "6.5.2 a window beyond 2^31 - 1": (setting(4, 1 << 31), FLOW),
    "6.5.2 a largest frame beyond the most": (setting(5, 1 << 24), PROTOCOL),
    "6.5.2 an unknown setting": (setting(0xFF, 1), BORNE),
    "6.6 PUSH_PROMISE by a client": (call() + raw(PUSH, WHOLE, 1, number(2) + block()), PROTOCOL),
    "6.7 an acknowledgement that nobody waits for": (raw(PING, ENDS, 0, bytes(8)), BORNE),
    "6.9 a window that grows by nothing": (raw(WINDOW, 0, 0, number(0)), PROTOCOL),
    "6.9 a stream's window that grows by nothing": (call() + raw(WINDOW, 0, 1, number(0)), PROTOCOL),
    "6.9.1 the connection's window beyond the most": (raw(WINDOW, 0, 0, number(2**31 - 1)), FLOW),
    "6.10 CONTINUATION after the block's end": (call() + raw(CONTINUATION, WHOLE, 1, b""), PROTOCOL),
    "HPACK 2.3.3 an entry that isn't there": (call(1, b"\xbe\x80"), COMPRESSION),
    "HPACK 4.2 a new size at the block's end": (call(1, block() + b"\x20"), COMPRESSION),
    "HPACK 5.2 padding of more than seven bits": (call(1, block() + X_TEST + b"\x84\x49\x50\x9f\xff"), COMPRESSION),
    "HPACK 5.2 padding of zeros": (call(1, block() + X_TEST + b"\x83\x49\x50\x90"), COMPRESSION),
    "HPACK 5.2 an end inside of a text": (call(1, block() + X_TEST + b"\x87\xff\xff\xff\xfd\x25\x42\x7f"), COMPRESSION),
    "HPACK 6.1 the entry 0": (call(1, b"\x80"), COMPRESSION),
    "HPACK 6.3 a table beyond the agreed size": (call(1, b"\x3f\xe2\x1f" + block()), COMPRESSION),
}
"""Bytes sent, and the code with which the connection ends, or that it goes on. Any error may end it (5.4.1)."""
STREAM = {
    "8.1 trailers that don't end": (call() + call(1, bytes(Encoder().encode([("x", "y")]))), PROTOCOL),
    "8.1.1 less DATA than was announced": (
        call(1, block(("content-length", "9"))) + raw(DATA, ENDS, 1, b"x"),
        PROTOCOL,
    ),
    "8.1.1 more DATA than was announced": (
        call(1, block(("content-length", "1"))) + raw(DATA, ENDS, 1, framed(b"x")),
        PROTOCOL,
    ),
    "8.2.1 a capital letter": (call(1, block(("X-Capital", "x"))), PROTOCOL),
    "8.2.1 a line's end in a value": (call(1, block(("x", "a\r\nb"))), PROTOCOL),
    "8.2.1 LF in a value": (call(1, block(("traceparent", "a\nb"))), PROTOCOL),
    "8.2.1 NUL in a value": (call(1, block(("x", "a\0b"))), PROTOCOL),
    "8.2.1 a space at a value's end": (call(1, block(("x", "a "))), PROTOCOL),
    "8.2.1 a space in a name": (call(1, block(("x y", "a"))), PROTOCOL),
    "8.2.1 a line's end in a trailer": (call() + call(1, TRAILER, WHOLE | ENDS), PROTOCOL),
    "8.2.2 connection": (call(1, block(("connection", "keep-alive"))), PROTOCOL),
    "8.2.2 te of more than trailers": (call(1, block(("te", "trailers, deflate"), without="te")), PROTOCOL),
    "8.3 an unknown pseudo-header": (call(1, block((":test", "x"))), PROTOCOL),
    "8.3 a pseudo-header after others": (call(1, block((":scheme", "http"), without=":scheme")), PROTOCOL),
    "8.3.1 no path": (call(1, block(without=":path")), PROTOCOL),
    "8.3.1 an empty path": (call(1, block((":path", ""), without=":path")), PROTOCOL),
    "8.3.1 two methods": (call(1, bytes(Encoder().encode([(":method", "POST"), *HEADERS]))), PROTOCOL),
}
"""Bytes sent, and the code with which its stream ends, while the connection goes on."""


class Peer:
    """A connection, and what it was told."""

    def __init__(self, port: int, sent: bytes) -> None:
        self.frames: list[Frame] = []
        with (
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection,
            connection.makefile("rb") as file,
        ):
            # The answer to a ping overtakes what was told just before it; that to the next one doesn't.
            self.goes_on = self._pinged(connection, file, sent) and self._pinged(connection, file)

    def codes(self, kind: type[GoAwayFrame | RstStreamFrame], stream: int = 0) -> list[int]:
        """Errors that it was told for a stream, or for all."""
        return [frame.error_code for frame in self.frames if isinstance(frame, kind) and frame.stream_id == stream]

    def _pinged(self, connection: socket.socket, file: BinaryIO, before: bytes = b"") -> bool:
        """Send a ping, and read up to its answer; False where the connection ends first."""
        try:
            connection.sendall(before + raw(PING, 0, 0, b"sentinel"))
            while head := file.read(9):
                frame, size = Frame.parse_frame_header(memoryview(head))
                frame.parse_body(memoryview(file.read(size)))
                self.frames.append(frame)
                if isinstance(frame, PingFrame) and frame.opaque_data == b"sentinel":
                    return True
        except ConnectionError:  # it ended before it had read all
            pass
        return False


@pytest.fixture(scope="module")
def port(shards: int) -> Iterator[int]:
    """A transport, and that it holds nothing in the end."""
    served = Served(transport_shards=shards).answering()
    yield served.port
    served.let_go(of_connections=True)
    served.stop()


@pytest.mark.parametrize("case", CONNECTION)
def test_what_concerns_a_connection(port: int, case: str) -> None:
    sent, code = CONNECTION[case]
    peer = Peer(port, begun(sent))
    assert (peer.codes(GoAwayFrame), peer.goes_on) == (([], True) if code is None else ([code], False))


@pytest.mark.parametrize("case", STREAM)
def test_what_concerns_a_stream(port: int, case: str) -> None:
    sent, code = STREAM[case]
    peer = Peer(port, begun(sent))
    assert (peer.codes(RstStreamFrame, 1), peer.codes(GoAwayFrame), peer.goes_on) == ([code], [], True)


def test_a_streams_window_beyond_the_most(port: int) -> None:
    """6.9.1: it ends the stream; nghttp2 1.70 has the connection end by the same error, as 5.4.1 lets it."""
    peer = Peer(port, begun(call() + raw(WINDOW, 0, 1, number(2**31 - 1))))
    told = (peer.codes(RstStreamFrame, 1), peer.codes(GoAwayFrame), peer.goes_on)
    assert told in (([FLOW], [], True), ([], [FLOW], False))


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n" + bytes(99), PREFACE + raw(PING, 0, 0, bytes(8))])
def test_a_connection_begins_with_its_preface(port: int, sent: bytes) -> None:
    """3.4: what begins otherwise is ended, with a reason or without."""
    peer = Peer(port, sent)
    assert not peer.goes_on
    assert peer.codes(GoAwayFrame) in ([], [PROTOCOL])


def test_what_comes_after_the_transport_has_reset_a_call_is_borne(port: int) -> None:
    """5.1: a peer may not know yet that its call is over, and goes on with it."""
    with Raw(port) as peer:
        refused = peer.call("/t.T/No", ends=False)
        peer.over(refused)
        trailers = b"\0\x01x\x01y"  # a literal, of which no table keeps anything
        for frame in (
            raw(DATA, 0, peer.stream_of(refused), b"x"),
            call(peer.stream_of(refused), trailers, WHOLE | ENDS),
        ):
            peer.socket.sendall(frame)
        response = peer.echo(b"y")
        peer.over(response)
        assert response.content == framed(b"y")


def test_what_comes_after_a_call_was_answered_is_not(port: int) -> None:
    """5.1: a peer that has ended its call says nothing more in it."""
    with Raw(port) as peer:
        response = peer.echo(b"x")
        peer.over(response)
        peer.socket.sendall(call(peer.stream_of(response)))
        peer.drain()
        assert peer.goaway == (CLOSED, b"")
