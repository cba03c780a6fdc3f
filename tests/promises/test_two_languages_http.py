"""Over HTTP what C++ serves and what Python serves are the same JSON, or the same error, whatever is asked."""

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.importing.tokenising.hard_texts import HARD

from .conftest import Both
from .http_bodies import INPUT, SIZE, Agree, agreeing, broken

PATH, METHOD = "/v1/embeddings", "POST /v1/embeddings"
WORDS = "there will be dragons where a man plays the guitar, and a woman sings".split()  # noqa: SIM905
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["english", "text-embedding-3-small", "default", "another", None, 1]),
    "input": INPUT,
    "encoding_format": st.sampled_from(["float", "base64", None, "Float", 1]),
    "dimensions": SIZE,
    "user": st.one_of(st.text(max_size=5), st.none(), st.integers()),
    "truncation": st.sampled_from(["error", "start", "end", None, "Start", False]),
    "input ": st.just("a"),
}
PLAIN = {"model": "english", "input": "a man"}


@pytest.fixture
def agree(both: Both) -> Iterator[Agree]:
    """Have both servers answer bodies alike; returns how many were answered with embeddings."""
    with agreeing(both, PATH) as ask:
        yield ask


def bodies(texts: Iterator[str]) -> Iterator[bytes]:
    """Make a request of each text, or of three, with one after the other of all options."""
    options = itertools.cycle(
        itertools.product(("start", "end", None, "error"), (None, 128), ("base64", "float"), (1, 1, 3), (True, False))
    )
    while True:
        truncation, size, encoding, count, is_ascii = next(options)
        if not (few := list(itertools.islice(texts, count))):
            return
        members: dict[str, Any] = {
            "model": "english",
            "input": few if count > 1 else few[0],
            "encoding_format": encoding,
        }
        members |= {"dimensions": size, "truncation": truncation}
        yield json.dumps(members, ensure_ascii=is_ascii).encode(errors="surrogatepass")


def test_hard_texts(both: Both, agree: Agree) -> None:
    """Each alone or beside others, with each option; some are too long, blank, or read by the library alone."""
    before = both.served(METHOD, "native")
    answered = agree(list(bodies(iter(HARD * 4))))
    assert answered > 50
    assert both.served(METHOD, "native") > before + answered / 4


@pytest.mark.parametrize("count", [1, 16, 17, 600])
def test_lists_of_any_length(both: Both, agree: Agree, count: int) -> None:
    """Plain ones are served by C++, each of them; so are those with some hard texts, or Python has their words."""
    draw = random.Random(count)  # noqa: S311  not a secret
    plain = [" ".join(draw.choices(WORDS, k=draw.randint(1, 30))) for _ in range(count)]
    hard = [text for text in draw.choices(HARD, k=count // 20 + 1) if text.strip()]
    long = ["dragons, " * 300, *plain[1:]]
    before = both.served(METHOD, "native")
    asked = [
        json.dumps({"model": "english", "input": texts, "encoding_format": encoding, "truncation": "start"}).encode()
        for texts in (plain, long, [*plain, *hard])
        for encoding in ("float", "base64")
    ]
    assert agree(asked[:4]) == 4
    assert both.served(METHOD, "native") == before + 4
    agree(asked[4:])


def test_bodies_of_any_kind(both: Both, agree: Agree) -> None:
    """Members that are known and others, twice or of another kind; bytes that are no JSON, or nearly."""
    before = both.served(METHOD, "native")

    @hypothesis.settings(max_examples=60, database=None)
    @hypothesis.given(st.lists(broken(MEMBERS, PLAIN), min_size=8, max_size=8))
    def ask(contents: list[bytes]) -> None:
        agree(contents)

    ask()
    assert both.served(METHOD, "native") > before + 20
