"""Statuses too long for HTTP/2's headers: their callers learn as much as fits."""

from collections.abc import Callable
from urllib.parse import unquote

import pytest

from .raw import Raw
from .served import ECHO, ROW, Served, framed

MOST = 8192
Serve = Callable[..., Served]


@pytest.mark.parametrize("path", [ECHO, ROW])
@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("x" * 70_000, "x" * MOST),
        ("é" * 40_000, "é" * (MOST // 2)),
        ("x" + "é" * 40_000, "x" + "é" * (MOST // 2 - 1)),
        ("\n" * MOST, "\n" * MOST),
    ],
)
def test_a_long_message_is_cut(serve: Serve, path: str, message: str, shown: str) -> None:
    """The cut is between two characters, however many bytes each has on the wire."""
    served = serve()
    with Raw(served.port) as raw:
        response = raw.call(path, framed(b"x"))
        served.transport.fail([served.take_messages()[0][0]], [(3, message, b"d")])
        raw.over(response)
        assert (response.status, unquote(response.message or "")) == ("3", shown)
        assert "grpc-status-details-bin" in {**response.headers, **response.trailers}
        served.let_go()


def test_details_that_do_not_fit_are_left_out(serve: Serve) -> None:
    """The code and the message are sent without them, after an answer or alone."""
    served = serve()
    with Raw(served.port) as raw:
        response = raw.call(ROW, framed(b"a", b"b"))
        a, b = (message[0] for message in served.take_messages(2))
        served.transport.answer([a], [b"A"])
        served.transport.fail([b], [(3, "x" * MOST, b"d" * 70_000)])
        raw.over(response)
        assert (response.content, response.status, response.message) == (framed(b"A"), "3", "x" * MOST)
        assert "grpc-status-details-bin" not in response.trailers
        alone = raw.echo(b"x")
        served.transport.fail([served.take_messages()[0][0]], [(3, "no", b"d" * 70_000)])
        raw.over(alone)
        assert (alone.status, alone.message) == ("3", "no")
        served.let_go()
