"""Servers that lie: a client takes no numbers that it didn't ask for, shows no text that terminals obey, and rests."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import grpc
import numpy as np
import pytest

from bothends import BothendsError, Client, Retry
from bothends.embeddings import Embeddings
from bothends.errors import RequestError
from bothends.v1 import embedding_pb2
from bothends.wire.messages import encode, encode_items, items
from tests.support.awaited import Awaited
from tests.support.grpcs import answer, refuse, serving

Either = type[Client] | type[Awaited]
Embed = Callable[[embedding_pb2.EmbedRequest, grpc.ServicerContext], bytes]
ESCAPES = "\x1b]0;owned\x07 \u202e gnp.exe\nError: none"
ATTEMPTS = 4


def saying(rows: np.ndarray, *, version: str = "1", encoding: Any = "float32") -> Embed:
    """Answer each sentence with the first of `rows`."""

    def embed(request: embedding_pb2.EmbedRequest, _: grpc.ServicerContext) -> bytes:
        many = len(request.sentences)
        return encode(Embeddings(rows[:1].repeat(many, 0), [1] * many, [False] * many, version), encoding)

    return embed


ONES = np.ones((1, 64), np.float32)
UNIT = ONES / 8


@pytest.mark.parametrize(
    ("embed", "asked", "told"),
    [
        (saying(np.full((1, 64), np.nan, np.float32)), {}, "aren't finite"),
        (saying(np.ones((1, 512), np.float32)), {"dimensions": 64}, "512 numbers, not 64"),
        (saying(ONES), {"encoding": "int8"}, "no embeddings in int8"),
        (saying(ONES, encoding="int8"), {}, "no embeddings in float32"),
        (saying(ONES, encoding="sign_bits"), {"encoding": "sign_bits", "dimensions": 32}, "8 numbers, not 4"),
        (saying(ONES), {"normalize": True}, "rows of length 1"),
        (saying(UNIT * 1.001), {"normalize": True}, "rows of length 1"),
        (saying(UNIT * 1.2, encoding="int8"), {"normalize": True, "encoding": "int8"}, "rows of length 1"),
        (saying(ONES, version=""), {}, "of which model"),
        (saying(ONES, version="1\x1b[2J"), {}, "of which model"),
    ],
)
def test_what_was_not_asked_for_is_an_error(either: Either, embed: Embed, asked: Any, told: str) -> None:
    with serving(embed) as server, either(server.target) as client, pytest.raises(BothendsError, match=told):
        client.embed(["one"], **asked)


@pytest.mark.parametrize("encoding", ["float32", "float16", "int8", "sign_bits"])
def test_rows_of_length_1_are_taken_as_their_encoding_rounds_them(either: Either, encoding: Any) -> None:
    """A row of which one number is most, whose others an int8 rounds to nothing, is one; so is a row without length."""
    spike = np.full((1, 64), 0.003, np.float32)
    spike[0, 5] = np.sqrt(1 - 63 * 0.003**2)
    for row in (UNIT, spike, np.zeros((1, 64), np.float32)):
        with serving(saying(row, encoding=encoding)) as server, either(server.target) as client:
            client.embed(["one"], normalize=True, encoding=encoding)


def test_a_stream_takes_no_rows_of_another_length(either: Either) -> None:
    with serving() as server, either(server.target) as client, pytest.raises(BothendsError, match="rows of length 1"):
        list(client.encode_stream(["four"], normalize=True))


@pytest.mark.parametrize(("sentences", "size"), [(2, 64), (0, 4096)])
def test_a_server_that_takes_no_sentence_is_not_sent_one_at_a_time(either: Either, sentences: int, size: int) -> None:
    """Limits without sense would make a request of each sentence."""
    asked = 0

    def embed(request: embedding_pb2.EmbedRequest, _: grpc.ServicerContext) -> bytes:
        nonlocal asked
        asked += 1
        return answer(request)

    model = embedding_pb2.Model(max_sentences=sentences, max_message_bytes=size)
    with serving(embed, model=model) as server, either(server.target) as client:
        for send in (client.embed, lambda sentences: list(client.encode_stream(sentences))):
            with pytest.raises(BothendsError, match="no request may hold a sentence"):
                send(["one"] * 1001)
    assert asked == 0


def test_a_version_keeps_its_size(either: Either) -> None:
    """The first answer of a version says how many numbers it has."""

    def embed(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        return saying(np.ones((1, len(request.sentences[0])), np.float32))(request, context)

    with serving(embed) as server, either(server.target) as client:
        client.embed(["four"])
        with pytest.raises(BothendsError, match="7 numbers, not 4"):
            client.embed(["sevenxx"])


def test_a_size_that_changes_in_a_stream_is_an_error(either: Either) -> None:
    def stream(requests: Iterator[Any], _: grpc.ServicerContext) -> Iterator[bytes]:
        for number, request in enumerate(requests):
            many = len(request.sentences)
            found = Embeddings(np.ones((many, 4 + number), np.float32), [1] * many, [False] * many, "1")
            yield encode_items(items(found, "float32"), "1")

    with serving(stream=stream) as server, either(server.target) as client, pytest.raises(BothendsError, match="5 num"):
        list(client.encode_stream(["a"] * 10))


def test_an_answer_has_a_bound(either: Either) -> None:
    """Longer answers aren't read, nor asked for again."""
    asked = 0

    def embed(_: embedding_pb2.EmbedRequest, __: grpc.ServicerContext) -> bytes:
        nonlocal asked
        asked += 1
        return bytes(65 << 20)

    much = pytest.raises(BothendsError, match="more than a client takes")
    with serving(embed) as server, either(server.target) as client, much as raised:
        client.embed(["one"])
    assert not isinstance(raised.value, RequestError)
    assert asked == 1


def test_text_of_a_server_is_printable(either: Either) -> None:
    """Status and details move no cursor, name no window and turn no line round."""

    def embed(_: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        refuse(context, RequestError(ESCAPES))
        return b""

    def bare(_: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.INTERNAL, ESCAPES)

    for lie in (embed, bare):
        with serving(lie) as server, either(server.target) as client, pytest.raises(BothendsError) as raised:
            client.embed(["one"])
        assert "gnp.exe" in str(raised.value)
        assert str(raised.value).isprintable()


def test_a_server_that_closes_each_connection_is_rarely_come_back_to(either: Either) -> None:
    """A GOAWAY at once, again and again: it is left in peace between attempts, where gRPC alone makes a thousand
    connections a second.
    """
    times: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def close_all() -> None:
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                times.append(time.monotonic())
                with one:
                    one.recv(4096)
                    one.sendall(b"\0\0\0\4" + bytes(5) + b"\0\0\x08\7" + bytes(13))  # SETTINGS, GOAWAY

        threading.Thread(target=close_all, daemon=True).start()
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        with either(target, retry=Retry(attempts=ATTEMPTS), timeout_s=20) as client, pytest.raises(BothendsError):
            client.embed(["one"])
        listener.shutdown(socket.SHUT_RDWR)
    assert max(later - sooner for sooner, later in pairwise(times)) > 0.15  # 0.2 s of the last wait are sure
