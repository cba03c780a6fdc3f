"""Streams: a row of messages, each answered in its turn, no more of them on their way than the window holds."""

from collections.abc import Callable

import pytest

from .raw import Raw, framed
from .served import ROW, STATUSES, Served

Serve = Callable[..., Served]


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
