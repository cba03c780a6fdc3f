"""Retries against servers that are full or wrong: each wait is written down, and the server counts the calls."""

from collections.abc import Iterator

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
from bothends.v1 import embedding_pb2
from bothends.wire.status import to_status
from tests.client.asking import Asking
from tests.support.grpcs import answer, refuse, serving


class FullServer:
    """A server that refuses every call while it is full, and counts those."""

    def __init__(self) -> None:
        self.is_full = True
        self.refused = 0
        self.target = ""

    def embed(self, request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        if self.is_full:
            self.refused += 1
            refuse(context, OverloadedError("1 requests are in progress", retry_after_s=0.1))
        return answer(request)

    def leave(self) -> None:
        """Have room from now on."""
        self.is_full = False


@pytest.fixture
def small() -> Iterator[FullServer]:
    made = FullServer()
    with serving(made.embed) as server:
        made.target = server.target
        yield made


def test_a_full_server_is_asked_again_when_it_says(small: FullServer) -> None:
    """Each wait is the 0.1 s that it says, and a growing random time on top."""
    asking = Asking(small.target, then=lambda waits: small.leave() if waits == 3 else None)
    assert asking.embed("patience").rows.shape == (1, 2)
    assert asking.transport.waits == pytest.approx([0.1 + 0.05, 0.1 + 0.1, 0.1 + 0.2])
    assert small.refused == 3


def test_a_wait_that_would_pass_the_deadline_is_not_begun(small: FullServer) -> None:
    """The caller gets its time back, and what the server said last."""
    asking = Asking(small.target, retry=Retry(first_wait_s=10, longest_wait_s=100), timeout_s=60)
    with pytest.raises(OverloadedError, match="1 requests are in progress"):
        asking.embed("no patience")
    assert asking.transport.waits == pytest.approx([5.1, 10.1, 20.1])  # 40.1 more would be 75.4
    assert small.refused == 4


def test_a_try_that_would_be_too_short_is_not_waited_for(small: FullServer) -> None:
    """A shorter one would end by its deadline, and its caller would not learn that the server is full."""
    for left_s, waits in ((0.04, [10.1]), (0.06, [10.1, 20.1])):
        patient = Retry(attempts=3, first_wait_s=20, longest_wait_s=100)
        asking = Asking(small.target, retry=patient, timeout_s=10.1 + 20.1 + left_s)
        with pytest.raises((OverloadedError, DeadlineError)):
            asking.embed("little patience")
        assert asking.transport.waits == pytest.approx(waits)


def test_a_sleep_past_the_deadline_hides_no_error(small: FullServer) -> None:
    """A machine that is busy wakes nobody in time: the caller learns what the server said last."""

    def oversleep(_: int) -> None:
        asking.transport.now += 100

    asking = Asking(small.target, then=oversleep)
    with pytest.raises(OverloadedError, match="1 requests are in progress"):
        asking.embed("asleep")
    assert small.refused == 1


def test_a_sick_server_is_asked_less_and_less(small: FullServer) -> None:
    """A call is made once when the burst is spent; successes earn retries back."""
    asking = Asking(small.target, retry=Retry(attempts=100, burst=5, share=0.5), timeout_s=1e6)
    for _ in range(20):
        with pytest.raises(OverloadedError):
            asking.embed("hello?")
    assert len(asking.transport.waits) == 5
    assert small.refused == 20 + 5
    small.leave()
    for _ in range(4):
        asking.embed("better")
    small.is_full = True
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
