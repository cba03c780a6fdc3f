"""Calls go to the least busy of several servers, past those that are backed off from. The channels are real."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from bothends import (
    BothendsError,
    Client,
    ConnectionFailedError,
    DeadlineError,
    NotServingError,
    OverloadedError,
    Retry,
)
from bothends.client.balancer import Backend
from bothends.client.sync import BlockingTransport
from bothends.v1 import embedding_pb2
from tests.client.asking import Asking
from tests.support.awaited import Awaited
from tests.support.grpcs import Embed, answer, echo, refuse, serving
from tests.support.until import until

LONG_S = 3600.0
"""RetryInfo that no test waits for: a call that did would pass its deadline, and fail."""


def says(error: BothendsError, calls: list[str]) -> Embed:
    """A server that refuses everything."""

    def embed(_: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        calls.append("refusing")
        refuse(context, error)
        raise AssertionError

    return embed


def good(calls: list[str]) -> Embed:
    def embed(request: embedding_pb2.EmbedRequest, _: grpc.ServicerContext) -> bytes:
        calls.append("good")
        return answer(request)

    return embed


def test_retryinfo_binds_its_own_server_only(either: type[Client | Awaited]) -> None:
    """A call goes elsewhere at once, and the full server isn't asked again before its time."""
    calls: list[str] = []
    full = OverloadedError("full", retry_after_s=LONG_S)
    with (
        serving(says(full, calls)) as a,
        serving(good(calls)) as b,
        either([a.target, b.target], timeout_s=60) as client,
    ):
        for _ in range(20):
            client.encode(["word"])
    assert (calls.count("refusing"), calls.count("good")) == (1, 20)


def test_where_all_are_full_the_first_to_have_room_is_waited_for() -> None:
    """The wait is as long as that server said, and no longer."""
    calls: list[str] = []
    with (
        serving(says(OverloadedError("full", retry_after_s=7), calls)) as a,
        serving(says(OverloadedError("full", retry_after_s=3), calls)) as b,
    ):
        asking = Asking(f"{a.target},{b.target}", retry=Retry(attempts=3), dice=0.0)
        with pytest.raises(OverloadedError):
            asking.embed("word")
    assert asking.transport.waits == pytest.approx([0.0, 3.0])


def test_a_stream_goes_elsewhere_too(either: type[Client | Awaited]) -> None:
    """The first turn may be either server's."""
    full = OverloadedError("full", retry_after_s=LONG_S)

    def refusing(_: Iterator[embedding_pb2.EmbedStreamRequest], context: grpc.ServicerContext) -> Iterator[bytes]:
        refuse(context, full)
        yield b""

    with (
        serving(stream=refusing) as a,
        serving(stream=echo) as b,
        either([a.target, b.target], timeout_s=60) as client,
    ):
        for _ in range(2):
            assert len(list(client.encode_stream(["a", "b", "c"], timeout_s=60))) == 3


def test_a_slow_server_keeps_its_calls_and_gets_no_more() -> None:
    """Turns alone would give it as many calls as the quick one gets."""
    calls: list[str] = []
    released = threading.Event()

    def slow(request: embedding_pb2.EmbedRequest, _: grpc.ServicerContext) -> bytes:
        calls.append("slow")
        released.wait(60)
        return answer(request)

    with (
        serving(slow) as a,
        serving(good(calls)) as b,
        Client([a.target, b.target]) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        waiting = thread.submit(lambda: [client.encode(["word"]) for _ in range(2)])
        until(lambda: "slow" in calls)
        for _ in range(20):
            client.encode(["word"])
        assert calls.count("slow") == 1
        released.set()
        assert len(waiting.result(timeout=60)) == 2


@pytest.fixture
def alone() -> "Backend[grpc.Future[Any]]":
    """A server as a client knows it before the first call."""
    return Backend(BlockingTransport.__new__(BlockingTransport))


@pytest.mark.parametrize("kind", [NotServingError, ConnectionFailedError, DeadlineError], ids=lambda k: k.__name__)
def test_a_server_that_fails_again_is_backed_off_from_twice_as_long(
    alone: "Backend[grpc.Future[Any]]", kind: Callable[..., BothendsError]
) -> None:
    """Backoff ends at ten seconds."""
    now, waits = 0.0, []
    for _ in range(9):
        alone.back_off(kind("no"), now)
        waits.append(alone.backoff_s(now))
        now += waits[-1]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


def test_calls_that_fail_together_count_once(alone: "Backend[grpc.Future[Any]]") -> None:
    """A server that restarts under a hundred calls is asked again soon."""
    for number in range(100):
        alone.back_off(ConnectionFailedError("gone"), number / 1e4)
    assert alone.backoff_s(0.01) <= 0.1


def test_a_full_server_is_backed_off_from_as_long_as_it_says(alone: "Backend[grpc.Future[Any]]") -> None:
    """A shorter RetryInfo that comes meanwhile doesn't end the backoff."""
    alone.back_off(OverloadedError("full", retry_after_s=5), 0.0)
    alone.back_off(OverloadedError("full", retry_after_s=1), 1.0)
    assert alone.backoff_s(1.0) == pytest.approx(4.0)


def counting(calls: list[str], name: str) -> Callable[[embedding_pb2.EmbedRequest, grpc.ServicerContext], bytes]:
    def embed(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        calls.append(name)
        return answer(request)

    return embed


def asked_until(client: Client | Awaited, happened: Callable[[], bool]) -> bool:
    """Ask until it has happened; returns whether it did in good time."""
    end = time.monotonic() + 60
    while not happened() and time.monotonic() < end:
        client.encode(["word"])
    return happened()


def test_several_servers_take_turns_and_an_unfit_one_has_none(either: type[Client | Awaited]) -> None:
    """gRPC watches each one's health; a call is never sent where it would be refused."""
    calls: list[str] = []
    with (
        serving(counting(calls, "a")) as a,
        serving(counting(calls, "b")) as b,
        either([a.target, b.target], retry=Retry(attempts=3)) as client,
    ):
        assert asked_until(client, lambda: len(set(calls)) == 2)  # both are connected
        del calls[:]
        for _ in range(10):
            client.encode(["word"])
        assert (calls.count("a"), calls.count("b")) == (5, 5)
        a.say_serving(False)
        assert asked_until(client, lambda: calls[-5:] == ["b"] * 5)
        b.say_serving(False)
        with pytest.raises(NotServingError, match="no server is fit to answer"):
            asked_until(client, lambda: False)


def test_a_name_with_several_addresses_is_several_servers() -> None:
    """localhost is one such name, by IPv4 and IPv6."""
    calls: list[str] = []
    with serving(counting(calls, "a")) as a:
        try:
            other = serving(counting(calls, "b"), address=f"[::1]:{a.port}")
            with other, Client(f"localhost:{a.port}") as client:
                assert asked_until(client, lambda: len(set(calls)) == 2)
        except RuntimeError:
            pytest.skip("this machine has no ::1")


def test_one_address_speaks_for_itself_unless_told_otherwise() -> None:
    """A balancer may stand behind one address, and its health would be one server's for all."""
    with serving() as server:
        server.say_serving(False)
        with Client(server.target) as client:
            assert client.encode(["word"]).shape == (1, 2)
        with (
            Client(server.target, watch_health=True, retry=Retry(attempts=1)) as client,
            pytest.raises(NotServingError),
        ):
            client.encode(["word"])
