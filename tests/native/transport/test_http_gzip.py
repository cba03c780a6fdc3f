"""Bodies over HTTP that come by gzip are inflated and served without Python; what is odd of them stays as it came."""

import gzip
import hashlib

import pytest
from bothends_native import transport

from bothends.server.quota import KeyAccount, Quota
from tests.support.until import until

from .long import MOST, Long, sentences_of
from .test_http_lists import answer, begin, body_of, left_to_the_application, lists, wire
from .web import EMBED, Web, Wire, post

__all__ = ("lists", "wire")
JSON = "Content-Type: application/json"
GZIP = "Content-Encoding: gzip"
KEY = "secret"


@pytest.mark.parametrize("count", [1, 3, 17, MOST])
def test_what_comes_by_gzip_is_answered_as_what_does_not(lists: Long, wire: Wire, count: int) -> None:
    body = body_of(sentences_of(count, count))
    begin(lists, wire, body, steps=0)
    plain = answer(lists, wire)
    for name in ("gzip", "GZIP"):
        begin(lists, wire, gzip.compress(body), f"Content-Encoding: {name}", steps=0)
        assert answer(lists, wire)[2] == plain[2]
    assert lists.served.count() == []


def test_what_a_body_becomes_is_counted_while_it_is_served(lists: Long, wire: Wire) -> None:
    body = body_of(["a"]).ljust(100_000)
    wire.say(post(EMBED, gzip.compress(body), JSON, GZIP))
    lists.waits()
    assert lists.step() == []
    assert lists.served.figure("making_bytes") > len(body)
    assert answer(lists, wire)[0] == 200


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(body_of(["a"]))[:-1],
        gzip.compress(body_of(["a"])) + b"x",
        gzip.compress(body_of(["a"])) * 2,
        gzip.compress(body_of(["a"]))[:-8] + bytes(4) + (50).to_bytes(4, "little"),
        gzip.compress(b"no JSON"),
        gzip.compress(body_of(["a"] * (MOST + 1))),
        gzip.compress(b""),
        body_of(["a"]),
        b"",
    ],
    ids=["half", "more", "two", "another size", "no JSON", "too many", "an empty one", "none", "nothing"],
)
def test_what_is_odd_once_it_is_inflated_is_the_applications_as_it_came(
    lists: Long, wire: Wire, content: bytes
) -> None:
    wire.say(post(EMBED, content, JSON, GZIP))
    served = lists.served
    assert isinstance(served, Web)
    until(lambda: lists.step() == [] and served.has_requests())
    left_to_the_application(lists, wire, content)


def test_who_takes_without_a_path_leaves_it_as_it_came(lists: Long, wire: Wire) -> None:
    content = gzip.compress(body_of(["a"]))
    wire.say(post(EMBED, content, JSON, GZIP))
    lists.waits()
    assert lists.served.look(9, 0.1) == ([], [])
    left_to_the_application(lists, wire, content)


def test_a_call_whose_key_has_a_share_is_pythons(lists: Long, wire: Wire) -> None:
    """It says at once what is over a share: nothing is inflated before."""
    content = gzip.compress(body_of(["a"]))
    account = KeyAccount(KEY, Quota(concurrent_sentences=2), create_usage=transport.Usage)
    lists.served.transport.set_keys({hashlib.sha256(KEY.encode()).digest(): account.usage})
    wire.say(post(EMBED, content, JSON, GZIP, f"Authorization: Bearer {KEY}"))
    left_to_the_application(lists, wire, content)
