"""EmbedStream over a real channel: in order, and the bytes of Embed."""

import grpc
import pytest

from bothends import RequestError
from bothends.server.server import Server
from bothends.v1 import embedding_pb2
from tests.support.measured import sample
from tests.support.streams import Stream, request
from tests.support.until import until


def count(server: Server, code: str) -> float:
    return sample(server, "bothends_requests_total", method="EmbedStream", code=code)


def count_left(server: Server) -> float:
    """Number of streams that ended before they were done, as either code: a busy machine's clocks are far apart."""
    return count(server, "DEADLINE_EXCEEDED") + count(server, "CANCELLED")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (request(), "there are no sentences"),
        (request(*["a"] * 301), "301 sentences are more than this server's limit of 300"),
        (b"\xff\xff\xff", "no EmbedStreamRequest: malformed protobuf"),
        (b"\x0a\x02\xc3\x28", "text that is no UTF-8"),
    ],
    ids=["empty", "too many", "garbage", "no UTF-8"],
)
def test_a_message_that_is_none_ends_the_stream_after_those_before_it(
    server: Server, channel: grpc.Channel, wrong: embedding_pb2.EmbedStreamRequest | bytes, told: str
) -> None:
    """INVALID_ARGUMENT with details; what came before it is answered, what came after it isn't."""
    before = count(server, "INVALID_ARGUMENT")
    with Stream(channel) as stream:
        stream.send(request("one"), request("two", "three"), wrong, request("too late"))
        assert [len(stream.receive().items) for _ in range(2)] == [1, 2]
        error = stream.end()
    assert isinstance(error, RequestError)
    assert told in str(error)
    assert count(server, "INVALID_ARGUMENT") == before + 1


def test_a_message_over_the_limit_ends_the_stream(channel: grpc.Channel) -> None:
    """gRPC itself refuses it, as it does Embed's."""
    with Stream(channel) as stream:
        stream.send(request("x" * 5_000_000))
        with pytest.raises(grpc.RpcError) as raised:
            stream.receive()
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in (raised.value.details() or "")


def test_sentences_are_counted_as_embeds_are(server: Server, channel: grpc.Channel) -> None:
    """Tokens read, and those that were cut; not those that couldn't be embedded."""
    value = server.metrics.registry.get_sample_value
    names = ("bothends_sentence_tokens_count", "bothends_sentence_tokens_sum", "bothends_truncated_sentences_total")
    before = [value(name, {"model": "english"}) or 0 for name in names]
    with Stream(channel) as stream:
        stream.send(request("there will be dragons", " "), request("word " * 300))
        stream.rest()
    expected = [before[0] + 2, before[1] + 4 + 256, before[2] + 1]
    until(lambda: [value(name, {"model": "english"}) for name in names] == expected)


def test_the_deadline_bounds_the_stream(server: Server, channel: grpc.Channel) -> None:
    """Work is left; the caller gets DEADLINE_EXCEEDED, and nothing waits any more."""
    before = count_left(server)
    with Stream(channel, timeout=1.0) as stream:
        stream.send(*[request(*["word " * 250] * 8) for _ in range(1000)])
        with pytest.raises(grpc.RpcError) as raised:
            stream.rest()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: sample(server, "bothends_queue_sentences") == 0)
    until(lambda: count_left(server) == before + 1)


@pytest.mark.timing
@pytest.mark.parametrize("timeout", [0.5, 1.503, 3.007])
def test_a_deadline_that_the_caller_noticed_first_is_counted_as_one(
    server: Server, channel: grpc.Channel, timeout: float
) -> None:
    """gRPC's clients send two or three digits of a timeout, rounded up, and end the call by their own clock."""
    before = count(server, "DEADLINE_EXCEEDED")
    with Stream(channel, timeout=timeout) as stream:
        stream.send(request("there will be dragons"))
        stream.receive()
        with pytest.raises(grpc.RpcError):
            stream.receive()
    until(lambda: count(server, "DEADLINE_EXCEEDED") == before + 1)


def test_a_deadline_that_has_passed_is_told_at_once(channel: grpc.Channel) -> None:
    with Stream(channel, timeout=1e-6) as stream, pytest.raises(grpc.RpcError) as raised:
        stream.receive()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
