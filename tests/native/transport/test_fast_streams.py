"""Streams' messages that are answered without Python: the same bytes, in their order, and what is left to it."""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
import pytest
from bothends_native import transport

from bothends.server.quota import KeyAccount, Quota
from bothends.v1.embedding_pb2 import EmbedStreamRequest, EmbedStreamResponse
from bothends.wire.messages import encode_items, items
from tests.support.until import TIMEOUT_S, until

from .fast import SIZES, VERSION, Fast, embedded, named
from .long import LIMITS, MOST, sentences_of
from .raw import Raw, framed
from .served import ROW, Served

KEY = "one"
LEFT = [
    {"sentences": ["a", ""]},
    {"sentences": ["a man from Ω"]},
    {"sentences": []},
    {"sentences": ["a"], "dimensions": 6},
    {"sentences": ["b b b b b b"], "truncation": 1},
    {"sentences": ["a"] * (MOST + 1)},
    {"sentences": ["a"] * (MOST - 1) + [" "]},
]
"""Messages with something in them that C++ has no item for, or of which there is none."""


def codec() -> transport.Codec:
    return transport.Codec.embed_stream(models=[named()])


@pytest.fixture
def fast(serve: Callable[..., Served]) -> Iterator[Fast]:
    """A transport that embeds streams' messages without Python, long ones in slices, and echoes all else."""
    # Nine tokens a sentence, as many as any has here, where all of it is read, in pieces.
    made = Fast(serve(), codec=codec(), method=1, **LIMITS | {"max_request_tokens": 9 * MOST})
    yield made
    made.stop()


def message(*sentences: str, **options: Any) -> bytes:
    return EmbedStreamRequest(sentences=sentences, **options).SerializeToString()


def written(encoder: Any, content: bytes) -> bytes:
    """What Python answers."""
    return encode_items(items(*embedded(encoder, content)), VERSION)


def answers(fast: Fast, contents: Sequence[bytes], key: str = "") -> list[bytes]:
    metadata = (("authorization", f"Bearer {key}"),) if key else ()
    with fast.served.channel() as channel:
        return list(channel.stream_stream(ROW)(iter(contents), timeout=TIMEOUT_S, metadata=metadata))


def test_each_message_is_answered_with_the_bytes_that_python_writes(fast: Fast) -> None:
    """Short ones and long ones, with options of their own, in the order in which they came."""
    asked = itertools.product((0, 2, 3, 4), (0, 1), (0, *SIZES), range(5))
    contents = [
        message(
            *sentences_of(seed, (1, 3, 20, MOST)[seed % 4]),
            truncation=truncation,
            normalize=normalize,
            dimensions=dimensions,
            encoding=encoding,
        )
        for seed, (truncation, normalize, dimensions, encoding) in enumerate(asked)
    ]
    assert answers(fast, contents) == [written(fast.encoder, content) for content in contents]
    assert fast.taken == []


@pytest.mark.parametrize("asked", LEFT, ids=["empty", "character", "none", "size", "cut", "many", "blank"])
def test_what_is_not_plain_is_python_s_and_has_its_place(fast: Fast, asked: dict[str, Any]) -> None:
    """The others of its stream are answered as ever, before it and after it."""
    plain, odd = message("a man"), EmbedStreamRequest(**asked).SerializeToString()
    right = written(fast.encoder, plain)
    assert answers(fast, [plain, odd, plain, odd, plain]) == [right, odd, right, odd, right]
    assert [left.content for left in fast.taken] == [odd, odd]


def test_a_compressed_message_is_python_s(fast: Fast) -> None:
    with fast.served.channel() as channel:
        row = channel.stream_stream(ROW)
        content = message("a " * 100)
        assert list(row(iter([content]), timeout=TIMEOUT_S, compression=grpc.Compression.Gzip)) == [content]


def test_a_stream_is_counted_as_a_whole_and_its_sentences_one_by_one(fast: Fast) -> None:
    answers(fast, [message("a", "b b"), message(*["b b b b b b"] * MOST)])
    told = fast.path.served()
    assert [(batch.seconds, batch.unanswered) for batch in told] == [({}, [])] * len(told)
    assert sorted(count for batch in told for count in batch.counts) == [1, 2] + [5] * MOST
    assert sum(batch.messages.get(1, 0) for batch in told) == 2
    assert sum(batch.truncated for batch in told) == MOST
    assert sum(len(batch.waited_s) for batch in told) == MOST + 2
    until(lambda: fast.served.count() == [(1, 0, "")])


def test_messages_of_who_has_left_are_counted_by_nobody(serve: Callable[..., Served]) -> None:
    """The stream's end is: it is the transport's to count."""
    fast = Fast(serve(), codec=codec(), method=1, **LIMITS)
    for _ in range(20):
        with fast.served.channel() as channel:
            call = channel.stream_stream(ROW)(iter([message("a man", "b")] * 30), timeout=TIMEOUT_S)
            next(call)
            call.cancel()
    fast.served.let_go()
    fast.stop()
    assert all((batch.seconds, batch.unanswered) == ({}, []) for batch in fast.path.served())
    assert [method for method, _, _ in fast.served.count()] == [1] * 20


def test_an_engine_that_was_stopped_leaves_messages_to_python(fast: Fast) -> None:
    """Long ones too, and each is answered by itself."""
    contents = [message("a"), message(*["a b"] * MOST)]
    fast.encoder.stop()
    assert answers(fast, contents) == contents


@pytest.fixture
def account(fast: Fast) -> KeyAccount:
    """The account of the only key there is; it has no limits."""
    made = KeyAccount(KEY, Quota(), create_usage=transport.Usage)
    fast.served.transport.set_keys({digest(KEY): made.usage})
    return made


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def test_a_key_without_limits_is_on_the_fast_path_and_counted(fast: Fast, account: KeyAccount) -> None:
    contents = [message("a"), message(*["a b"] * MOST)]
    assert answers(fast, contents, KEY) == [written(fast.encoder, content) for content in contents]
    assert fast.taken == []
    assert account.in_progress == 0


@pytest.mark.parametrize("limits", [Quota(sentences_per_s=1e9), Quota(concurrent_sentences=1000)], ids=["rate", "most"])
def test_messages_of_a_key_with_a_share_are_python_s(fast: Fast, account: KeyAccount, limits: Quota) -> None:
    """All of them: those that wait there for their share go before those that come now."""
    account.limits = limits
    contents = [message("a"), message(*["a b"] * MOST)]
    assert answers(fast, contents, KEY) == contents


def test_a_key_may_change_while_its_stream_is_open(fast: Fast, account: KeyAccount) -> None:
    """It gets limits, is another's of the same name, or is withdrawn: Python has the words."""
    content = message("a man")
    right = written(fast.encoder, content)
    changes: list[tuple[Callable[[], None], bytes]] = [
        (lambda: None, right),
        (lambda: setattr(account, "limits", Quota(sentences_per_s=1e9)), content),
        (lambda: setattr(account, "limits", Quota()), right),
        (lambda: fast.served.transport.set_keys({}), content),
        (lambda: fast.served.transport.set_keys({digest(KEY): None}), right),
    ]
    headers = [("authorization", f"Bearer {KEY}")]
    with Raw(fast.served.port) as raw:
        response = raw.call(ROW, headers=headers, ends=False)
        answered = b""
        for change, expected in changes:
            change()
            raw.send(response, framed(content))
            answered += framed(expected)
            raw.wait(lambda: len(response.content) >= len(answered))  # noqa: B023  it is called at once
        assert response.content == answered


def test_the_embedding_is_the_item_s(fast: Fast) -> None:
    """A client reads what it is to read."""
    (content,) = answers(fast, [message("a b", "man")])
    response = EmbedStreamResponse.FromString(content)
    assert [item.WhichOneof("result") for item in response.items] == ["embedding"] * 2
    assert response.SerializeToString() == content
