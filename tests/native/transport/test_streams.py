"""Streams: a row of messages, each answered in its turn, no more of them on their way than the window holds."""

from collections.abc import Callable

import grpc
import pytest

from tests.support.until import TIMEOUT_S, until

from .raw import Raw
from .served import ROW, STATUSES, Served, framed

Serve = Callable[..., Served]


def test_a_row_comes_back_in_order(echo: Served) -> None:
    """Short messages by the thousand, and long ones beyond every window."""
    with echo.channel(None, ("grpc.max_receive_message_length", -1)) as channel:
        row = channel.stream_stream(ROW)
        for contents in (
            [b"%d" % number for number in range(3000)],
            [b"%d" % number * 1_500_000 for number in range(5)],
            [],
        ):
            assert list(row(iter(contents), timeout=TIMEOUT_S)) == contents
    echo.let_go()
    assert echo.count() == [(1, 0, "")] * 3


def test_who_reads_nothing_is_sent_and_asked_no_more_than_a_window(serve: Serve) -> None:
    """Unread answers hold the stream's window, and the rest of its request stays with its caller."""
    served = serve(window_messages=4, window_bytes=1 << 16).answering()
    with Raw(served.port, reads=False, window=1000) as raw:
        response = raw.call(ROW, framed(*[b"x" * 2000] * 20), ends=False)
        until(lambda: len(served.messages) >= 4)
        raw.over(raw.call("/t.T/No"))
        assert len(served.messages) < 8
        assert served.figure("held_bytes") < 1 << 17
        raw.http.increment_flow_control_window(1 << 20, raw.stream_of(response))
        raw.http.increment_flow_control_window(1 << 20)
        raw.send(response, framed(b"last"), ends=True)
        raw.over(response)
    assert response.content == framed(*[b"x" * 2000] * 20, b"last")


@pytest.mark.parametrize(
    ("last", "kind"), [(b"\0\0\0\0\2x", "malformed"), (b"\0\xff\0\0\0", "large"), (b"\1\0\0\0\0", "malformed")]
)
def test_a_stream_that_ends_in_no_message_is_refused(echo: Served, last: bytes, kind: str) -> None:
    """A message cut off, too large, or compressed where that wasn't said."""
    with Raw(echo.port) as raw:
        response = raw.call(ROW, framed(b"a") + last)
        raw.over(response)
        assert (response.status, response.message) == (str(STATUSES[kind][0]), STATUSES[kind][1])
        echo.let_go()
    assert echo.count() == [(1, STATUSES[kind][0], kind)]


def test_a_message_larger_than_every_window_passes(serve: Serve) -> None:
    """The window is given back while the message comes: else both sides would wait for the other."""
    served = serve(window_bytes=1000, max_message_bytes=1 << 20).answering()
    content = b"x" * (1 << 20)
    with Raw(served.port) as raw:
        response = raw.call(ROW, framed(content, b"", content))
        raw.over(response)
    assert response.content == framed(content, b"", content)


def test_many_streams_share_a_connection(echo: Served) -> None:
    """Each in its own order."""
    with echo.channel() as channel:
        row = channel.stream_stream(ROW)
        calls = [row(iter([b"%d" % (number * step) for step in range(50)]), timeout=TIMEOUT_S) for number in range(50)]
        for number, call in enumerate(calls):
            assert list(call) == [b"%d" % (number * step) for step in range(50)]


def test_a_caller_who_leaves_ends_the_stream(serve: Serve) -> None:
    """Messages that were taken are reported as over, and the stream is counted once, as cancelled."""
    served = serve()
    with served.channel() as channel:
        call = channel.stream_stream(ROW)(iter([b"a", b"b"]), timeout=TIMEOUT_S)
        a, b = (message.id for message in served.take_messages(2))
        call.cancel()
        until(lambda: served.gone.extend(served.look(9, 0.1)[1]) or len(served.gone) == 2)
        assert sorted(served.gone) == [a, b]
        served.transport.answer([a, b], [b"A", b"B"])
        served.let_go()
    assert served.count() == [(1, grpc.StatusCode.CANCELLED.value[0], "")]
