"""Statuses too long for HTTP/2's headers: their callers learn as much as fits."""

from collections.abc import Callable
from urllib.parse import unquote

import pytest

from .raw import Raw
from .served import ECHO, ROW, Served, framed

MOST = 8192


@pytest.mark.parametrize("path", [ECHO, ROW])
def test_a_long_status_ends_its_call(serve: Callable[..., Served], path: str) -> None:
    """A message that is three times as long on the wire arrives as far as it may, without details that don't fit."""
    served = serve()
    with Raw(served.port) as raw:
        response = raw.call(path, framed(b"x"))
        served.transport.fail([served.take_messages()[0].id], [(3, "\n" * 70_000, b"d" * 70_000)])
        raw.over(response)
        assert (response.status, unquote(response.message or "")) == ("3", "\n" * MOST)
        assert "grpc-status-details-bin" not in {**response.headers, **response.trailers}
        served.let_go()
