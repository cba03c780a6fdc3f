"""Lists over HTTP are served in slices as gRPC's are; what is odd of them is the application's, as it came."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from bothends_native.transport import Codec, Truncation, Usage

from bothends.server.quota import KeyAccount, Quota
from tests.support.until import until

from .fast import MAX_TOKENS, VERSION, named
from .long import LIMITS, MOST, TOGETHER, Long, sentences_of
from .web import EMBED, Web, Wire, post, web

METHOD = 3
"""Place of the method among the transport's."""
JSON = "Content-Type: application/json"


def long_of(served: Web, **limits: Any) -> Long:
    codec = Codec.openai(models=[named("m", shown='"m"', version=f'"{VERSION}"')], truncation=Truncation.start)
    return Long(served, codec=codec, method=METHOD, **limits)


@pytest.fixture
def lists() -> Iterator[Long]:
    """A transport with a path that serves lists over HTTP, one step a call."""
    with web() as served:
        yield long_of(served)


@pytest.fixture
def wire(lists: Long) -> Iterator[Wire]:
    with Wire(port_of(lists)) as wire:
        yield wire


def port_of(lists: Long) -> int:
    assert isinstance(lists.served, Web)
    return lists.served.http_port


def body_of(sentences: list[str], **members: Any) -> bytes:
    return json.dumps({"model": "m", "input": sentences, **members}).encode()


def begin(lists: Long, wire: Wire, body: bytes, *lines: str, steps: int) -> None:
    """Ask for a list, have it read, and compute so many slices of it."""
    wire.say(post(EMBED, body, JSON, *lines))
    lists.waits()
    for _ in range(1 + steps):
        assert lists.step() == []


def answer(lists: Long, wire: Wire) -> tuple[int, dict[str, str], Any]:
    """Serve until the call is answered."""
    until(lambda: lists.step() == [] and lists.served.figure("slots") == 0)
    status, headers, content = wire.answer()
    return status, headers, json.loads(content)


def left_to_the_application(lists: Long, wire: Wire, body: bytes) -> None:
    """Check that it gets the request as it came, with its slot."""
    assert isinstance(lists.served, Web)
    [request] = lists.served.take_requests()
    assert (request.method, request.body) == (METHOD, body)
    assert (lists.served.figure("slots"), lists.served.figure("making_bytes")) == (1, 0)
    lists.served.respond(request)
    assert wire.answer()[0] == 200
    assert lists.served.figure("slots") == 0


@pytest.mark.parametrize("count", [4, TOGETHER, TOGETHER + 1, MOST])
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_a_list_is_answered_in_slices(lists: Long, wire: Wire, count: int, encoding: str) -> None:
    """Its rows are those of its sentences alone, its usage theirs together, and what was cut is told."""
    sentences = sentences_of(count, count)
    begin(lists, wire, body_of(sentences, encoding_format=encoding), steps=0)
    assert lists.served.figure("making_bytes") > 0
    status, headers, found = answer(lists, wire)
    assert status == 200
    assert lists.computed[0] == min(count, TOGETHER)
    assert sum(lists.computed) == count
    assert [row["index"] for row in found["data"]] == list(range(count))
    cut = sum(len(sentence.split()) > MAX_TOKENS for sentence in sentences)
    assert headers.get("x-truncated-inputs") == (str(cut) if cut else None)
    tokens = sum(min(len(sentence.split()), MAX_TOKENS) for sentence in sentences)
    assert found["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    for row, sentence in list(zip(found["data"], sentences, strict=True))[:: count // 4]:
        begin(lists, wire, body_of([sentence], encoding_format=encoding), steps=0)
        alone = answer(lists, wire)[2]["data"][0]
        assert row["embedding"] == alone["embedding"]
    assert lists.served.figure("making_bytes") == 0


def test_served_lists_are_counted(lists: Long, wire: Wire) -> None:
    begin(lists, wire, body_of(["a b", "a " * 9] * 20), steps=0)
    until(lambda: lists.path.take_messages(0, 0.0, 1 << 20, 1) and lists.served.figure("slots") == 0)
    assert wire.answer()[0] == 200
    told = lists.path.served()
    assert [len(run.seconds[METHOD]) for run in told if run.seconds] == [1]
    assert sum(run.truncated for run in told) == 20
    assert lists.served.count() == []


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_what_a_list_takes_is_counted_beforehand(lists: Long, wire: Wire, encoding: str) -> None:
    """Its text, what JSON's reader keeps of it, and its answer, whose numbers may be text."""
    body = body_of(sentences_of(1, MOST), encoding_format=encoding)
    begin(lists, wire, body, steps=0)
    counted = lists.served.figure("making_bytes")
    until(lambda: lists.step() == [] and lists.served.figure("slots") == 0)
    assert counted > 2 * len(body) + len(wire.answer()[2])


@pytest.mark.parametrize(
    ("sentences", "members"),
    [
        (["a"] * (MOST + 1), {}),
        (["a"] * 50 + [""], {"dimensions": 5}),
        (["a"] * 50 + ["a" * (LIMITS["max_sentence_bytes"] + 1)], {}),
        (["a"] * 50 + ["unknown letters"], {}),
        (["a " * 5] * MOST, {"model": "another"}),
        (["a"] * 50 + ["a " * 6], {"truncation": "error"}),
    ],
    ids=["too many", "no such size", "a long text", "another tokenizer's", "another model", "too long"],
)
def test_what_is_odd_of_a_list_is_the_applications(
    lists: Long, wire: Wire, sentences: list[str], members: dict[str, Any]
) -> None:
    body = body_of(sentences, **members)
    wire.say(post(EMBED, body, JSON))
    lists.waits()
    assert lists.step() == []
    left_to_the_application(lists, wire, body)


def test_a_list_is_the_applications_where_a_share_is_counted(lists: Long, wire: Wire) -> None:
    """Which refuses what is over the share before anything is read: in slices a list's share isn't counted."""
    account = KeyAccount("one", Quota(sentences_per_s=1e6), create_usage=Usage)
    lists.served.transport.set_keys({hashlib.sha256(b"one").digest(): account.usage})
    body = body_of(["a b"] * MOST)
    wire.say(post(EMBED, body, JSON, "Authorization: Bearer one"))
    lists.waits()
    assert lists.served.transport.sliced() == (0, 0, 0)
    left_to_the_application(lists, wire, body)


def test_a_list_whose_model_stops_in_the_middle_is_the_applications(lists: Long, wire: Wire) -> None:
    body = body_of(["a b"] * MOST)
    begin(lists, wire, body, steps=2)
    lists.encoder.stop()
    assert lists.step() == []
    left_to_the_application(lists, wire, body)
