"""Keys: who holds a known one may call, and nobody else."""

import hashlib

import grpc
import pytest

from tests.support.until import TIMEOUT_S

from .served import Served

KEY = "bothends_one"


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer  {KEY} ".strip(), f"BEARER {KEY}"])
def test_a_known_key_may_call(echo: Served, authorization: str) -> None:
    echo.transport.set_keys({hashlib.sha256(KEY.encode()).digest(): None})
    with echo.channel() as channel:
        call = channel.unary_unary("/t.T/Echo")
        assert call(b"a", timeout=TIMEOUT_S, metadata=[("authorization", authorization)]) == b"a"
        with pytest.raises(grpc.RpcError, match="it is no_key"):
            call(b"a", timeout=TIMEOUT_S)
        echo.transport.set_keys({})
        with pytest.raises(grpc.RpcError, match="it is unknown_key"):
            call(b"a", timeout=TIMEOUT_S, metadata=[("authorization", authorization)])
        echo.transport.set_keys(None)
        assert call(b"a", timeout=TIMEOUT_S) == b"a"
