"""Each limit of a request, at it and one past it, over a real connection."""

import threading
from collections.abc import Iterator

import grpc
import pytest

from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.v1 import embedding_pb2
from tests.support.doors import code_of, connected, embed, serving
from tests.support.until import TIMEOUT_S

SHORT_S = 0.6
EMBED = "/bothends.v1.EmbeddingService/Embed"


@pytest.fixture(scope="module")
def small(toy_bundle: Bundle) -> Iterator[Server]:
    """A server whose every limit is near."""
    with serving(
        toy_bundle,
        max_message_bytes=1024,
        max_sentences=4,
        max_sentence_chars=100,
        max_request_tokens=10,
        max_connection_requests=4,
        max_header_bytes=4096,
    ) as server:
        yield server


def of_size(size: int) -> bytes:
    """Make an EmbedRequest of so many bytes: a sentence, and unknown fields for the rest."""
    request = embedding_pb2.EmbedRequest(sentences=["a"]).SerializeToString()
    padding = size - len(request) - 4  # field 99, bytes: two of tag, two of length
    return request + b"\x9a\x06" + bytes((padding & 127 | 128, padding >> 7)) + b"x" * padding


def test_bytes_of_a_message(small: Server) -> None:
    with connected(small) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EMBED)
        assert len(of_size(1024)) == 1024
        assert code_of(lambda: call(of_size(1024), timeout=TIMEOUT_S)) == grpc.StatusCode.OK
        assert code_of(lambda: call(of_size(1025), timeout=TIMEOUT_S)) == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("at", "past", "told"),
    [
        (["a"] * 4, ["a"] * 5, "5 sentences are more than this server's limit of 4 a request"),
        (["a" + " " * 99], ["a" + " " * 100], "has 101 characters; this server's limit is 100"),
        (["a a a a a", "a a a a a"], ["a a a a a", "a a a a a a"], "11 tokens are more than this server's limit of 10"),
    ],
    ids=["sentences", "characters", "tokens"],
)
def test_what_a_request_holds(small: Server, at: list[str], past: list[str], told: str) -> None:
    with connected(small) as channel:
        assert len(embed(channel, *at).embeddings) == len(at)
        with pytest.raises(grpc.RpcError) as raised:
            embed(channel, *past)
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert told in (raised.value.details() or "")


def test_tokens_are_counted_once_sentences_are_cut(toy_bundle: Bundle) -> None:
    """A request of the most sentences, each longer than the model reads, fits by the default."""
    with serving(toy_bundle, max_request_tokens=80) as server, connected(server) as channel:
        assert len(embed(channel, "a " * 100, "a " * 100).embeddings) == 2  # 40 each
        assert code_of(lambda: embed(channel, "a " * 100, "a " * 100, "a")) == grpc.StatusCode.INVALID_ARGUMENT


def test_requests_of_a_connection(small: Server) -> None:
    """Requests at the limit are served; one more waits at the caller until another is done."""
    done = threading.Event()

    def nothing_yet() -> Iterator[bytes]:
        done.wait(TIMEOUT_S)
        yield of_size(100)

    with connected(small) as channel:
        embed(channel, "a")
        opened = [channel.stream_unary(EMBED, bytes, bytes).future(nothing_yet()) for _ in range(3)]
        embed(channel, "a")
        opened.append(channel.stream_unary(EMBED, bytes, bytes).future(nothing_yet()))
        assert code_of(lambda: embed(channel, "a", timeout=SHORT_S)) == grpc.StatusCode.DEADLINE_EXCEEDED
        waiting = channel.unary_unary(EMBED, bytes, bytes).future(of_size(100), timeout=TIMEOUT_S)
        done.set()
        assert waiting.result()
        assert all(call.result() for call in opened)


def test_bytes_of_headers(small: Server) -> None:
    """Headers fit up to a byte and no further; some hundred bytes are gRPC's own."""

    def fits(size: int) -> bool:
        with connected(small) as channel:
            stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EMBED)
            code = code_of(lambda: stub(of_size(100), metadata=(("x", "y" * size),)))  # a deadline's size varies
            assert code in (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED)
            return code == grpc.StatusCode.OK

    low, high = 3000, 4096
    assert fits(low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    assert [fits(low), fits(high)] == [True, False]
    with connected(small) as channel:  # beyond 64 kB HTTP/2 itself may end the connection
        stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EMBED)
        assert code_of(lambda: stub(of_size(100), metadata=(("x", "y" * 100_000),))) in (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.UNAVAILABLE,
        )
