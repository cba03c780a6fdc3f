"""Headers that are short on the wire and long once read: one large entry of HPACK's table, named again and again."""

from collections.abc import Callable

import pytest

from tests.chaos.fields import entry, unindexed
from tests.chaos.hostile import message
from tests.chaos.hostile import raw as frame

from .raw import ECHO, Raw, Response, framed
from .served import PROBE, ROW, STATUSES, Served
from .test_health import CHECK, WATCH

Serve = Callable[..., Served]
DATA, HEADERS, END_STREAM, END_HEADERS = 0, 1, 1, 4
MOST = 40_000
ENTRY, NAMED = entry(b"x" * 2000, b"y" * 2000), b"\xbe"
"""An entry that fills the table, and its name from then on: one byte for 4,032."""
MODEST, BOMB = NAMED * 38, NAMED * 12_000
"""Names that are, with the entry itself, just under four times MOST; and far more."""
HEADERS_CODE = STATUSES["headers"][0]


class Caller:
    """A connection with calls of bytes that hyper-h2 wouldn't send, of which it is told what it has to know."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw

    def call(self, path: str, more: bytes = b"") -> Response:
        """Begin a call, no header of which comes into the table but of `more`."""
        stream = self.raw.http.get_next_available_stream_id()
        self.raw.http.send_headers(stream, [(":method", "POST"), (":path", path)])
        self.raw.http.clear_outbound_data_buffer()
        self.raw.responses[stream] = response = Response()
        usual = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "here"}
        block = unindexed([*usual.items(), ("content-type", "application/grpc")])
        self.raw.socket.sendall(frame(HEADERS, END_HEADERS, stream, block + more))
        return response

    def say(self, response: Response, content: bytes, *, ends: bool = False) -> None:
        flags = END_STREAM if ends else 0
        self.raw.socket.sendall(frame(DATA, flags, self.raw.stream_of(response), message(content)))

    def end(self, response: Response, trailers: bytes) -> None:
        """End a call's request by trailers."""
        self.raw.socket.sendall(frame(HEADERS, END_HEADERS | END_STREAM, self.raw.stream_of(response), trailers))

    def is_answered(self) -> None:
        """Ask once more, and be answered as ever."""
        response = self.call(ECHO)
        self.say(response, b"z", ends=True)
        self.raw.over(response)
        assert response.content == framed(b"z")


@pytest.mark.parametrize(("path", "method"), [(ECHO, 0), (ROW, 1), (PROBE, 2), ("/t.T/No", -1), (CHECK, None)])
def test_a_bomb_of_headers(serve: Serve, path: str, method: int | None) -> None:
    """Reset once it is four times too long, and counted once; what is less than that gets a status."""
    served = serve(max_header_bytes=MOST).answering()
    with Raw(served.port) as raw:
        caller = Caller(raw)
        modest = caller.call(path, ENTRY + MODEST)
        raw.over(modest)
        assert modest.message == "it is headers"
        bomb = caller.call(path, BOMB)
        raw.wait(lambda: bomb.reset)
        assert bomb.status is None
        caller.is_answered()
        served.let_go()
    assert served.count() == ([] if method is None else [(method, HEADERS_CODE, "headers")] * 2)


@pytest.mark.parametrize("path", [ECHO, ROW, PROBE, WATCH])
def test_a_bomb_of_trailers(serve: Serve, path: str) -> None:
    """Reset, and what was taken of the call is over; fewer trailers are none of the transport's business."""
    served = serve(max_header_bytes=MOST)
    with Raw(served.port) as raw:
        caller = Caller(raw)
        modest, bomb = caller.call(path), caller.call(path)
        content = b"" if path == WATCH else b"x"
        for call in (modest, bomb):
            caller.say(call, content)
        ids = [] if path == WATCH else [taken.id for taken in served.take_messages(2)]
        caller.end(modest, ENTRY + MODEST)
        caller.end(bomb, BOMB)
        raw.wait(lambda: bomb.reset)
        assert not modest.is_over
        if ids:
            assert served.look(1, 0.0) == ([], ids[1:])
            served.transport.answer(ids, [b"y", b"y"])
            raw.over(modest)
            assert modest.content == framed(b"y")
        else:
            raw.reset(modest)
        served.let_go()
    assert served.count() == ([(1, 0, ""), (1, HEADERS_CODE, "headers")] if path == ROW else [])


def test_a_bomb_of_trailers_of_what_nobody_has_taken(serve: Serve) -> None:
    """A message that waits is dropped, and its call counted once."""
    served = serve(max_header_bytes=MOST)
    with Raw(served.port) as raw:
        caller = Caller(raw)
        bomb = caller.call(ECHO)
        caller.say(bomb, b"x")
        caller.end(bomb, ENTRY + BOMB)
        raw.wait(lambda: bomb.reset)
        assert served.look(1, 0.0) == ([], [])
        served.let_go()
    assert served.count() == [(0, HEADERS_CODE, "headers")]
