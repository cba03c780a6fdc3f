"""Small requests that are answered without Python: the same bytes, what is left to it, and what it is told."""

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from bothends_native import transport

from bothends.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from tests.support.until import TIMEOUT_S, until

from .fast import EMPTY, VERSION, Fast, rows_of
from .raw import ECHO, Raw, framed
from .served import Served

LONG = ("sentences", "sentence_bytes", "request_tokens")
KEPT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
"""A traceparent without its flags."""


def test_the_answer_is_what_python_would_write(fast: Fast) -> None:
    """The same rows as the encoder's, in protobuf's own bytes: counts, what is cut, the version."""
    content = fast.ask("a b b b man", "abé", "b b b b b b")
    found = EmbedResponse.FromString(content)
    assert [list(row.values) for row in found.embeddings] == rows_of(fast, [1, 2, 2, 2, 4], [0], [2] * 5)
    assert [(row.token_count, row.truncated) for row in found.embeddings] == [(5, False), (1, False), (5, True)]
    assert found.model_version == VERSION
    assert found.SerializeToString() == content
    assert fast.taken == []


@pytest.mark.parametrize(
    "request_of",
    [
        {"sentences": ["a b"], "dimensions": 6},
        {"sentences": ["a"], "encoding": 9},
        {"sentences": ["a"], "truncation": 5},
        {"sentences": ["b b b b b b"], "truncation": 1},
        {"sentences": ["a"] * 4},
        {"sentences": ["a " * 150]},
        {"sentences": ["a", ""]},
        {"sentences": ["  "]},
        {"sentences": ["a man from Ω"]},
    ],
    ids=["size", "encoding", "truncation", "cut", "many", "long", "empty", "blank", "unknown character"],
)
def test_what_is_not_plain_is_left_to_python(fast: Fast, request_of: dict[str, Any]) -> None:
    content = EmbedRequest(**request_of).SerializeToString()
    with fast.served.channel() as channel:
        assert channel.unary_unary(ECHO)(content, timeout=TIMEOUT_S) == content
    assert [message.content for message in fast.taken] == [content]
    assert fast.count() == 0


def test_what_python_does_not_want_stays_outside(fast: Fast) -> None:
    """However few bytes it has; small requests are answered meanwhile."""
    requests = (
        EmbedRequest(sentences=["a"] * 4),
        EmbedRequest(sentences=["a"], dimensions=6),
        EmbedRequest(sentences=["a "] * 3 + ["b"] * 30),
    )
    contents = [request.SerializeToString() for request in requests]
    fast.wanted = 0
    until(lambda: set(fast.wanted_by.values()) == {0})
    with fast.served.channel() as channel:
        waits = [channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for content in contents]
        until(lambda: fast.served.figure("waiting") == len(contents))
        assert EmbedResponse.FromString(fast.ask("a")).embeddings
        assert fast.taken == []
        fast.wanted = 64
        assert [call.result() for call in waits] == contents


@pytest.mark.parametrize(
    "content",
    [
        *(b"\xff", b"\x0a", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", b"\x0a\xff\xff\xff\xff\x7f", b"\x0a\x03\xed\xa0\x80"),
        b"\x0a\x03\xe0\x81\xa1",  # "a" in more bytes than it needs
        b"\x0a\x02\xc3\x29",  # a character's first byte alone
        b"\x0a\x04\xf4\x90\x80\x80",  # what lies beyond the last character
        b"\x0a\x0f" + b"a " * 7 + b"\xff",  # behind as many tokens as are read
        *(b"\x0a\x01a\x30\x01", b"\x0a\x01a\x12\x00", b"\x0a\x01a\x18", b"\x0a\x01a\x20\xff\xff\xff\xff\x0f"),
    ],
)
def test_bytes_that_are_no_request_are_left_to_python(fast: Fast, content: bytes) -> None:
    """Protobuf that lies about a length, a field that isn't known or is of another kind, or text that isn't UTF-8."""
    with fast.served.channel() as channel:
        assert channel.unary_unary(ECHO)(content, timeout=TIMEOUT_S) == content
    assert fast.count() == 0


def test_a_request_without_sentences_is_answered_with_the_error_for_it(fast: Fast) -> None:
    """Whatever its options; what is no request at all is Python's still."""
    with fast.served.channel() as channel:
        for content in (b"", EmbedRequest(normalize=True).SerializeToString()):
            call = channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)
            assert (call.code().value[0], call.details()) == EMPTY[:2]
            assert ("grpc-status-details-bin", EMPTY[2]) in call.trailing_metadata()
        assert channel.unary_unary(ECHO)(b"\x30\x01", timeout=TIMEOUT_S) == b"\x30\x01"
    assert fast.count() == 0
    assert [(left.method, left.code) for told in fast.told for left in told.unanswered] == [(0, 3)] * 2
    assert fast.served.count() == []


def test_a_header_that_python_wants_is_seen_by_it(fast: Fast) -> None:
    """A key was looked at by the transport; whatever else was asked for is Python's."""
    content = EmbedRequest(sentences=["a"]).SerializeToString()
    with fast.served.channel() as channel:
        call = channel.unary_unary(ECHO)
        assert call(content, metadata=(("x-note", "b"),), timeout=TIMEOUT_S) == content
        assert EmbedResponse.FromString(call(content, metadata=(("authorization", "c"),), timeout=TIMEOUT_S)).embeddings


@pytest.mark.parametrize(
    ("traceparents", "is_kept"),
    [
        ([KEPT + "01"], True),
        ([KEPT + "00"], False),
        ([KEPT + "02"], False),
        ([KEPT + "03"], True),
        ([], True),
        ([KEPT + "00", KEPT + "00"], True),
        ([KEPT + "00-"], True),
        ([KEPT.replace("b", "B") + "00"], True),
        ([KEPT.replace("00-", "ff-", 1) + "00"], True),
        ([f"00-{'0' * 32}-b7ad6b7169203331-00"], True),
        ([f"00-{'a' * 32}-{'0' * 16}-00"], True),
        (["00"], True),
    ],
)
def test_a_call_whose_caller_keeps_no_trace_never_comes_to_python(
    fast: Fast, traceparents: list[str], is_kept: bool
) -> None:
    """Where spans are kept, all others do; where none are, none."""
    content = EmbedRequest(sentences=["a"]).SerializeToString()
    headers = [*(("traceparent", value) for value in traceparents), ("tracestate", "a=b")]
    with Raw(fast.served.port) as raw:  # grpcio sends one traceparent at most
        for traced in (False, True):
            fast.served.transport.set_traced(traced)
            response = raw.call(ECHO, framed(content), headers=headers)
            raw.over(response)
            assert (bytes(response.content) == framed(content)) == (traced and is_kept)


def test_what_was_answered_is_told_once(fast: Fast) -> None:
    """Rows, tokens, times, and how many were cut are there by the time that its caller has the answer."""
    for _ in range(3):
        fast.ask("a man", "b b b b b b b")
    assert fast.count() == 3
    assert fast.count() == 3
    for told in fast.told:
        assert (told.tokens, told.truncated, told.counts, len(told.waited_s), told.unanswered) == (7, 1, [2, 5], 2, [])
        assert min(told.tokenise_s, told.engine_s, told.serialise_s, *told.waited_s) >= 0
        assert 0 < told.engine_s < told.seconds[0][0] < TIMEOUT_S


def test_an_encoder_that_was_stopped_is_trusted_no_more(fast: Fast) -> None:
    fast.encoder.stop()
    assert EmbedRequest.FromString(fast.ask("a")).sentences == ["a"]
    assert fast.count() == 0


def test_many_at_once_have_each_their_own(fast: Fast) -> None:
    """Whatever company they are computed in."""
    alone = {words: fast.ask(*words) for words in (("a",), ("man", "b"), ("b b b", "a a", "é"))}
    with fast.served.channel() as channel:
        call = channel.unary_unary(ECHO)
        contents = {words: EmbedRequest(sentences=words).SerializeToString() for words in alone}
        found = [(words, call.future(contents[words], timeout=TIMEOUT_S)) for _ in range(100) for words in alone]
        assert all(answer.result() == alone[words] for words, answer in found)
    assert fast.count() == 303


def test_a_run_that_is_given_up_answers_nobody(fast: Fast) -> None:
    """Messages of it are somebody else's to answer, and its thread goes back at the end of the run."""
    stop = threading.Event()
    given_up: list[int] = []
    codes: list[grpc.StatusCode] = []

    def give_up() -> None:
        while not stop.is_set():
            for run in fast.path.overdue(0.0):
                (ids,) = run.messages.values()
                given_up.extend(ids)
                fast.served.transport.fail(ids, [(13, "it hung", b"")] * len(ids))

    thread = threading.Thread(target=give_up)
    thread.start()
    with fast.served.channel() as channel:
        call = channel.unary_unary(ECHO)
        content = EmbedRequest(sentences=["b b b b b"] * 3).SerializeToString()
        while not fast.given_up:
            codes.append(call.future(content, timeout=TIMEOUT_S).code())
    stop.set()
    thread.join(TIMEOUT_S)
    assert len(given_up) == codes.count(grpc.StatusCode.INTERNAL) > 0
    assert fast.count() == codes.count(grpc.StatusCode.OK)
    assert all(batch.unanswered == [] for batch in fast.told)  # who was told that it hung isn't counted again, as gone


def test_borrowing_something_else_is_an_error(fast: Fast, serve: Callable[..., Served]) -> None:
    part = fast.encoder.share()
    small = ("small_sentences", "bytes", "together", "bytes_together", "runs")
    bounds = dict.fromkeys([f"max_{name}" for name in (*small, *LONG)], 1)
    with pytest.raises(ValueError, match=r"expected a capsule of bothends_native\.Tokenizer"):
        transport.FastPath(serve().transport, {}, (transport.LentModel(part, part, max_tokens=1),), **bounds)
    made, name = ctypes.pythonapi.PyCapsule_New, b"bothends_native.Tokenizer 0"  # which the capsule doesn't copy
    made.restype, made.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    old = transport.LentModel(made(1, name, None), part, max_tokens=1)
    with pytest.raises(ValueError, match=r"Tokenizer 0: the modules of bothends-native are of different builds"):
        transport.FastPath(serve().transport, {}, (old,), **bounds)
    with pytest.raises(ValueError, match="there is no model"):
        transport.FastPath(serve().transport, {}, (), **bounds)
