"""Requests of methods that take no place: who needs no key and no room may send little."""

import gzip
from collections.abc import Callable

import pytest
from bothends_native.transport import Method

from .raw import Raw, framed
from .served import METHODS as USUAL
from .served import PROBE, ROW, Served
from .test_refusals import said

Serve = Callable[..., Served]
REFLECTION = "/t.T/Reflect"
METHODS = [*USUAL, Method(REFLECTION, is_stream=True, is_metered=False)]
MOST = 4096
GZIP = [("grpc-encoding", "gzip")]


@pytest.mark.parametrize("path", [PROBE, REFLECTION])
def test_what_needs_no_key_is_small(serve: Serve, path: str) -> None:
    """Refused by its prefix, or by what it says to inflate to; one of just the bound passes either way."""
    served = serve(methods=METHODS).answering()
    with Raw(served.port) as raw:
        large = raw.call(path, b"\0" + (MOST + 1).to_bytes(4, "big"), ends=False)
        inflated = raw.call(path, framed(gzip.compress(b"x" * (MOST + 1)), flag=1), headers=GZIP)
        raw.over(large, inflated)
        assert (said(large), said(inflated)) == ("large", "inflated")
        fits = raw.call(path, framed(b"x" * MOST))
        grows = raw.call(path, framed(gzip.compress(b"x" * MOST), flag=1), headers=GZIP)
        raw.over(fits, grows)
        assert (fits.content, grows.content) == (framed(b"x" * MOST), framed(b"x" * MOST))
    served.let_go()


def test_messages_of_many_other_fields_fill_their_streams_window(serve: Serve) -> None:
    """Sentences are searched for in a few fields: what has far more that are none is taken for full of them."""
    served = serve(methods=METHODS, window_sentences=3)
    few, many = b"\x10\x01" * 4096, b"\x10\x01" * 100_000
    with Raw(served.port) as raw:
        response = raw.call(ROW, framed(few, few, many, b"last"), ends=False)
        taken = served.take_messages(3)
        raw.over(raw.call("/t.T/No"))
        assert served.look(1, 0.0) == ([], [])
        served.transport.answer([message.id for message in taken], [b""] * 3)
        assert [message.content for message in served.take_messages()] == [b"last"]
        assert not response.is_over
