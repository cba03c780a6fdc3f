"""Errors of gRPC's own become bothends' errors, in both clients."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from bothends import BothendsError, Client, OverloadedError, Retry
from bothends.v1 import embedding_pb2
from tests.support.awaited import Awaited
from tests.support.grpcs import serving

Either = type[Client] | type[Awaited]


ONCE = Retry(attempts=1)


def test_a_client_closed_while_it_waits_says_so() -> None:
    """Closing isn't taken for an overload, and the call isn't made again."""
    asked = threading.Event()

    def never(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        asked.set()
        threading.Event().wait(10)
        return b""

    with serving(never) as server, ThreadPoolExecutor(1) as pool:
        client = Client(server.target)
        waiting = pool.submit(client.encode, ["anyone?"])
        assert asked.wait(10)
        client.close()
        with pytest.raises(BothendsError, match="was closed while it waited"):
            waiting.result(10)


def test_a_call_that_grpc_drops_is_an_overload(either: Either) -> None:
    """gRPC says CANCELLED to calls that an overloaded server never saw; a caller must not think it was itself."""

    def drop(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.CANCELLED, "CANCELLED")

    with (
        serving(drop) as server,
        either(server.target, retry=ONCE) as client,
        pytest.raises(OverloadedError, match="dropped the call") as raised,
    ):
        client.encode(["anyone?"])
    assert raised.value.retry_after_s > 0
