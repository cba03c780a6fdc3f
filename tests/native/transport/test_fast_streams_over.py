"""Streams of plain messages that are cut short or held up: by a stopping server, by deadlines, by who reads nothing."""

from collections.abc import Callable

import grpc
import pytest
from bothends_native import transport

from bothends.server.quota import KeyAccount, Quota
from tests.support.streams import Stream
from tests.support.until import until

from .fast import Fast
from .long import LIMITS, MOST, Long
from .raw import Raw, framed
from .served import ROW, Served
from .test_fast_streams import KEY, codec, digest, message, written

Serve = Callable[..., Served]
SHORT, LONG = message("a man"), message(*["a b"] * MOST)


@pytest.fixture
def long(serve: Serve) -> Long:
    return Long(serve(), codec=codec(), method=1)


def outcome(stream: Stream) -> tuple[list[bytes], grpc.StatusCode]:
    """Read to the end of a stream that ends with an error."""
    found: list[bytes] = []
    with pytest.raises(grpc.RpcError) as raised:
        found.extend(stream.call)
    return found, raised.value.code()


def test_a_stopping_server_answers_what_it_read(long: Long) -> None:
    """Also of a message of which some slices are served, and what Python has; then the stream ends."""
    with long.served.channel() as channel, Stream(channel, path=ROW) as stream:
        stream.send(SHORT, LONG, message(" "), SHORT)
        long.waits(4)
        (odd,) = long.step(most=1)
        assert long.served.figure("making_bytes") > 0
        long.served.transport.drain()
        assert long.step() == []
        long.served.transport.answer([odd.id], [b"python"])
        until(lambda: long.step() == [] and long.served.figure("calls") == 0)
        found, code = outcome(stream)
    right = written(long.encoder, SHORT)
    assert found == [right, written(long.encoder, LONG), b"python", right]
    assert code == grpc.StatusCode.UNAVAILABLE
    long.served.let_go()


def test_messages_of_which_the_time_is_over_leave_nothing(long: Long) -> None:
    """Whatever has become of them by then; here the last is never answered."""
    contents = framed(SHORT, message(" "), *[LONG] * 3)
    with Raw(long.served.port) as raw:
        late = raw.call(ROW, contents, ends=False, headers=[("grpc-timeout", "500m")])
        until(lambda: long.step(most=1) or long.served.figure("calls") == 0)
        raw.over(late)
        assert late.status == "4"
        until(lambda: long.served.count())
        assert long.step() == []
        long.served.let_go()
        assert long.served.figure("making_bytes") == 0
    assert [method for method, _, _ in long.served.count()] == [1]


def test_who_reads_nothing_is_served_no_more_than_a_window(serve: Serve) -> None:
    """Their messages stay with them, and what was made of those that were read is bounded; others are served on."""
    fast = Fast(serve(window_messages=4, window_bytes=1 << 16), codec=codec(), method=1, **LIMITS)
    right = written(fast.encoder, LONG)
    with Raw(fast.served.port, reads=False, window=1000) as raw, Raw(fast.served.port) as other:
        response = raw.call(ROW, framed(*[LONG] * 20), ends=False)
        for _ in range(30):
            answered = other.call(ROW, framed(LONG))
            other.over(answered)
            assert answered.content == framed(right)
        served = sum(batch.messages.get(1, 0) for batch in fast.path.served()) - 30
        assert served < 8
        assert fast.served.figure("held_bytes") < 1 << 17
        raw.http.increment_flow_control_window(1 << 20, raw.stream_of(response))
        raw.http.increment_flow_control_window(1 << 20)
        raw.send(response, framed(SHORT), ends=True)
        raw.over(response)
    assert response.content == framed(*[right] * 20, written(fast.encoder, SHORT))
    fast.stop()


@pytest.mark.parametrize(
    ("limits", "is_pythons"), [(Quota(sentences_per_s=1e6), False), (Quota(concurrent_sentences=1), True)]
)
def test_limits_that_come_while_a_message_waits(long: Long, limits: Quota, is_pythons: bool) -> None:
    """It is counted once: here, or by Python alone where it is over them."""
    account, content = KeyAccount(KEY, Quota(), create_usage=transport.Usage), message("a", "b")
    long.served.transport.set_keys({digest(KEY): account.usage})
    with long.served.channel() as channel, Stream(channel, path=ROW, key=KEY) as stream:
        stream.send(content)
        long.waits()
        account.limits = limits
        left = long.step(most=1)
        assert [each.content for each in left] == [content] * is_pythons
        assert account.in_progress == 0
        long.served.transport.answer([each.id for each in left], [b"python"] * is_pythons)
        assert next(stream.call, None) == (b"python" if is_pythons else written(long.encoder, content))
