"""Keys: a call without a known one is refused before its request is read, and who holds one has its turns by it."""

import hashlib
import threading
from collections.abc import Iterator

import grpc
import pytest

from tests.support.until import TIMEOUT_S

from .served import Served

KEY = "bothends_one"


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        (None, "it is no_key"),
        ("Bearer other", "it is unknown_key"),
        (f"Basic {KEY}", "it is unknown_key"),
        (f"Bearer {KEY}x", "it is unknown_key"),
    ],
)
def test_a_call_without_a_known_key_is_refused_before_its_request_is_read(
    echo: Served, authorization: str | None, words: str
) -> None:
    echo.transport.set_keys([hashlib.sha256(KEY.encode()).digest()])
    never = threading.Event()

    def request() -> Iterator[bytes]:
        never.wait(TIMEOUT_S)
        yield b""

    with echo.channel() as channel:
        metadata = None if authorization is None else [("authorization", authorization)]
        call = channel.stream_unary("/t.T/Echo").future(request(), timeout=TIMEOUT_S, metadata=metadata)
        error = call.exception(TIMEOUT_S)
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, words)
        never.set()


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer  {KEY} ".strip(), f"BEARER {KEY}"])
def test_a_known_key_may_call(echo: Served, authorization: str) -> None:
    echo.transport.set_keys([hashlib.sha256(KEY.encode()).digest()])
    with echo.channel() as channel:
        call = channel.unary_unary("/t.T/Echo")
        assert call(b"a", timeout=TIMEOUT_S, metadata=[("authorization", authorization)]) == b"a"
        echo.transport.set_keys([])
        with pytest.raises(grpc.RpcError):
            call(b"a", timeout=TIMEOUT_S, metadata=[("authorization", authorization)])
        echo.transport.set_keys(None)
        assert call(b"a", timeout=TIMEOUT_S) == b"a"
