"""Retries against servers that are full or wrong: each wait is written down, and the server counts the calls."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import pytest

from bothends import (
    BothendsError,
    ConnectionFailedError,
    DeadlineError,
    EngineError,
    NotServingError,
    OverloadedError,
    QuotaError,
    RequestError,
    Retry,
    UnauthenticatedError,
)
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.settings import Settings
from bothends.v1 import embedding_pb2
from bothends.wire.status import to_status
from tests.client.asking import Asking
from tests.support.grpcs import refuse, serving
from tests.support.measured import sample
from tests.support.until import until


@pytest.fixture
def small(english: Bundle) -> Iterator[Server]:
    """A server that takes one request at a time."""
    server = Server(
        Settings(
            bundle=english.path, device="cpu", workers=1, port=0, http_port=0, selftest_s=0, max_concurrent_requests=1
        )
    )
    server.start()
    yield server
    server.stop()


def refused(server: Server) -> float:
    return sample(server, "bothends_refused_requests_total", reason="full")


def refuses(server: Server, count: float) -> bool:
    """Return whether it refused so many. It counts a call a moment after its caller knows."""
    until(lambda: refused(server) >= count)
    return refused(server) == count


@contextmanager
def occupied(server: Server) -> Iterator[Callable[[], None]]:
    """The server's one place taken by a call that never sends its request; yields what gives it back."""
    over = threading.Event()

    def nothing() -> Iterator[bytes]:
        over.wait(60)
        yield from ()

    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        enter = channel.stream_unary("/bothends.v1.EmbeddingService/Embed").future
        call = enter(nothing())

        def leave() -> None:
            before = sample(server, "bothends_requests_total", method="Embed", code="CANCELLED")
            call.cancel()
            until(lambda: sample(server, "bothends_requests_total", method="Embed", code="CANCELLED") > before)

        probe = Asking(f"127.0.0.1:{server.port}", retry=Retry(attempts=1))
        turned_away = refused(server)
        while True:  # until it is inside, and nobody else is
            try:
                probe.embed("anyone inside?")
            except OverloadedError:
                break
            if call.done():  # the probe was
                turned_away += 1
                call = enter(nothing())
        assert refuses(server, turned_away + 1)
        yield leave
        call.cancel()
        over.set()


def test_a_full_server_is_asked_again_when_it_says(small: Server) -> None:
    """Each wait is the 0.1 s that it says, and a growing random time on top."""
    with occupied(small) as leave:
        before = refused(small)
        asking = Asking(f"127.0.0.1:{small.port}", then=lambda waits: leave() if waits == 3 else None)
        assert asking.embed("patience").rows.shape == (1, 512)
    assert asking.transport.waits == pytest.approx([0.1 + 0.05, 0.1 + 0.1, 0.1 + 0.2])
    assert refuses(small, before + 3)


def test_a_wait_that_would_pass_the_deadline_is_not_begun(small: Server) -> None:
    """The caller gets its time back, and what the server said last."""
    with occupied(small):
        before = refused(small)
        asking = Asking(f"127.0.0.1:{small.port}", retry=Retry(first_wait_s=10, longest_wait_s=100), timeout_s=60)
        with pytest.raises(OverloadedError, match="1 requests are in progress"):
            asking.embed("no patience")
        assert asking.transport.waits == pytest.approx([5.1, 10.1, 20.1])  # 40.1 more would be 75.4
        assert refuses(small, before + 4)


def test_a_try_that_would_be_too_short_is_not_waited_for(small: Server) -> None:
    """A shorter one would end by its deadline, and its caller would not learn that the server is full."""
    with occupied(small):
        for left_s, waits in ((0.04, [10.1]), (0.06, [10.1, 20.1])):
            patient = Retry(attempts=3, first_wait_s=20, longest_wait_s=100)
            asking = Asking(f"127.0.0.1:{small.port}", retry=patient, timeout_s=10.1 + 20.1 + left_s)
            with pytest.raises((OverloadedError, DeadlineError)):
                asking.embed("little patience")
            assert asking.transport.waits == pytest.approx(waits)


def test_a_sleep_past_the_deadline_hides_no_error(small: Server) -> None:
    """A machine that is busy wakes nobody in time: the caller learns what the server said last."""

    def oversleep(_: int) -> None:
        asking.transport.now += 100

    with occupied(small):
        before = refused(small)
        asking = Asking(f"127.0.0.1:{small.port}", then=oversleep)
        with pytest.raises(OverloadedError, match="1 requests are in progress"):
            asking.embed("asleep")
        assert refuses(small, before + 1)


def test_a_sick_server_is_asked_less_and_less(small: Server) -> None:
    """A call is made once when the burst is spent; successes earn retries back."""
    with occupied(small) as leave:
        before = refused(small)
        asking = Asking(f"127.0.0.1:{small.port}", retry=Retry(attempts=100, burst=5, share=0.5), timeout_s=1e6)
        for _ in range(20):
            with pytest.raises(OverloadedError):
                asking.embed("hello?")
        assert len(asking.transport.waits) == 5
        assert refuses(small, before + 20 + 5)
        leave()
        for _ in range(4):
            asking.embed("better")
    with occupied(small):
        with pytest.raises(OverloadedError):
            asking.embed("hello?")
        assert len(asking.transport.waits) == 5 + 2


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (RequestError("no"), 1),
        (UnauthenticatedError("who?"), 1),
        (DeadlineError("late"), 1),
        (EngineError("broken"), 1),
        (BothendsError("a bug"), 1),
        (NotServingError("unfit"), 4),
        (OverloadedError("full", retry_after_s=7), 4),
        (QuotaError("enough", retry_after_s=7), 4),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BothendsError) else "",
)
def test_each_error_is_tried_as_often_as_it_may_help(error: BothendsError, calls: int) -> None:
    """Each error arrives as what the server raised."""
    came: list[None] = []

    def embed(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        came.append(None)
        refuse(context, error)
        return b""

    with serving(embed) as server:
        asking = Asking(server.target, retry=Retry(attempts=4))
        with pytest.raises(type(error), match=to_status(error).message) as raised:
            asking.embed("word")
    assert type(raised.value) is type(error)
    assert len(came) == calls
    if isinstance(error, OverloadedError):
        assert all(wait >= 7 for wait in asking.transport.waits)


def test_a_lost_connection_is_tried_again_until_it_is_hopeless() -> None:
    asking = Asking("127.0.0.1:1", retry=Retry(attempts=4), dice=1.0)
    with pytest.raises(ConnectionFailedError, match="no bothends server answers"):
        asking.embed("anyone?")
    assert asking.transport.waits == pytest.approx([0.1, 0.2, 0.4])
