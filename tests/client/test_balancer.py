"""Which of several servers is asked: the least busy that doesn't rest. Real channels, to servers told what to do."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

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
    SentenceError,
)
from bothends.client.balancer import Backend
from bothends.client.sync import BlockingTransport
from bothends.v1 import embedding_pb2
from tests.support.awaited import Awaited
from tests.support.grpcs import Embed, answer, echo, refuse, serving

from .test_core import Asking

BOTH = pytest.mark.parametrize("either", [Client, Awaited], ids=["threads", "asyncio"])
LONG_S = 20.0
"""A RetryInfo that no test waits for."""


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


@BOTH
def test_retryinfo_binds_its_own_server_only(either: type[Client | Awaited]) -> None:
    """A call goes elsewhere at once, and nobody asks the full one again before its time."""
    calls: list[str] = []
    full = OverloadedError("full", retry_after_s=LONG_S)
    with (
        serving(says(full, calls)) as a,
        serving(good(calls)) as b,
        either([a.target, b.target], timeout_s=10) as client,
    ):
        began = time.monotonic()
        for _ in range(20):
            client.encode(["word"])
        assert time.monotonic() - began < LONG_S / 2
    assert (calls.count("refusing"), calls.count("good")) == (1, 20)


def test_where_all_are_full_the_first_to_have_room_is_waited_for() -> None:
    """Never sooner than it said, and no longer."""
    calls: list[str] = []
    with (
        serving(says(OverloadedError("full", retry_after_s=7), calls)) as a,
        serving(says(OverloadedError("full", retry_after_s=3), calls)) as b,
    ):
        asking = Asking(f"{a.target},{b.target}", retry=Retry(attempts=3), dice=0.0)
        with pytest.raises(OverloadedError):
            asking.embed("word")
    assert asking.transport.waits == pytest.approx([0.0, 3.0])


@BOTH
def test_a_callers_own_mistake_says_nothing_of_its_server(either: type[Client | Awaited]) -> None:
    """They go on taking turns."""
    calls: list[str] = []
    wrong = SentenceError(0, "is empty")
    with serving(says(wrong, calls)) as a, serving(good(calls)) as b, either([a.target, b.target]) as client:
        for _ in range(3):
            client.encode(["word"])
            with pytest.raises(SentenceError):
                client.encode(["word"])


@BOTH
def test_a_stream_goes_elsewhere_too(either: type[Client | Awaited]) -> None:
    """Whichever has the first turn."""
    full = OverloadedError("full", retry_after_s=LONG_S)

    def refusing(_: Iterator[embedding_pb2.EmbedStreamRequest], context: grpc.ServicerContext) -> Iterator[bytes]:
        refuse(context, full)
        yield b""

    with serving(stream=refusing) as a, serving(stream=echo) as b, either([a.target, b.target]) as client:
        began = time.monotonic()
        for _ in range(2):
            assert len(list(client.encode_stream(["a", "b", "c"]))) == 3
        assert time.monotonic() - began < LONG_S / 2


def test_a_slow_server_keeps_its_calls_and_gets_no_more() -> None:
    """By turns it would get as many as the quick one."""
    calls: list[str] = []
    released = threading.Event()

    def slow(request: embedding_pb2.EmbedRequest, _: grpc.ServicerContext) -> bytes:
        calls.append("slow")
        released.wait(20)
        return answer(request)

    with (
        serving(slow) as a,
        serving(good(calls)) as b,
        Client([a.target, b.target]) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        waiting = thread.submit(lambda: [client.encode(["word"]) for _ in range(2)])
        while "slow" not in calls:
            time.sleep(0.01)
        for _ in range(20):
            client.encode(["word"])
        assert calls.count("slow") == 1
        released.set()
        assert len(waiting.result(timeout=20)) == 2


@pytest.fixture
def alone() -> Backend[grpc.Future]:
    """A server as a client knows it that never asked it."""
    return Backend(BlockingTransport.__new__(BlockingTransport))


@pytest.mark.parametrize("kind", [NotServingError, ConnectionFailedError, DeadlineError], ids=lambda k: k.__name__)
def test_who_fails_again_and_again_rests_twice_as_long(
    alone: Backend[grpc.Future], kind: Callable[..., BothendsError]
) -> None:
    """Up to ten seconds."""
    now, rests = 0.0, []
    for _ in range(9):
        alone.back_off(kind("no"), now)
        rests.append(alone.backoff_s(now))
        now += rests[-1]
    assert rests == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


def test_calls_that_fail_together_count_once(alone: Backend[grpc.Future]) -> None:
    """A server that restarts under a hundred calls is asked again soon."""
    for number in range(100):
        alone.back_off(ConnectionFailedError("gone"), number / 1e4)
    assert alone.backoff_s(0.01) <= 0.1


def test_who_is_full_rests_as_long_as_it_says(alone: Backend[grpc.Future]) -> None:
    """A shorter word that comes meanwhile doesn't end it."""
    alone.back_off(OverloadedError("full", retry_after_s=5), 0.0)
    alone.back_off(OverloadedError("full", retry_after_s=1), 1.0)
    assert alone.backoff_s(1.0) == pytest.approx(4.0)
