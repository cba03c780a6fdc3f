"""At POST /embed what C++ serves and what Python serves are the same JSON, or the same error, whatever is asked."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.importing.tokenising.hard_texts import HARD

from .conftest import Both
from .http_bodies import INPUT, SIZE, Agree, agreeing, broken

MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "inputs": INPUT,
    "truncate": st.sampled_from([True, False, None, "true", 1]),
    "truncation_direction": st.sampled_from(["left", "right", "Left", "Right", "up", None]),
    "prompt_name": st.sampled_from([None, "query", "", 1]),
    "normalize": st.sampled_from([True, False, None, "true"]),
    "dimensions": SIZE,
    "parameters": st.just({}),
}


@pytest.fixture(params=["/embed", "/"])
def agree(request: pytest.FixtureRequest, both: Both) -> Iterator[tuple[Agree, str]]:
    """A way to ask both servers, and the method by which that counts."""
    with agreeing(both, request.param) as ask:
        yield ask, f"POST {request.param}"


def bodies(texts: Iterator[str]) -> Iterator[bytes]:
    """Make a request of each text, or of three, with one after the other of all options."""
    options = itertools.cycle(
        itertools.product((True, None, False), ("left", "Right", None), (None, 128), (True, None, False), (1, 3))
    )
    while True:
        truncate, side, size, unit, count = next(options)
        if not (few := list(itertools.islice(texts, count))):
            return
        members = {"inputs": few if count > 1 else few[0], "truncate": truncate, "dimensions": size}
        members |= {} if side is None else {"truncation_direction": side}
        members |= {} if unit is None else {"normalize": unit}
        yield json.dumps(members).encode()


def test_hard_texts(both: Both, agree: tuple[Agree, str]) -> None:
    """Each alone or beside others, with each option; some are too long, blank, or read by the library alone."""
    ask, method = agree
    before = both.served(method, "native")
    answered = ask(list(bodies(iter(HARD * 3))))
    assert answered > 40
    assert both.served(method, "native") > before + answered / 4


def test_bodies_of_any_kind(both: Both, agree: tuple[Agree, str]) -> None:
    """Members that are known and others, twice or of another kind; bytes that are no JSON, or nearly."""
    ask, method = agree
    before = both.served(method, "native")

    @hypothesis.settings(max_examples=40, database=None)
    @hypothesis.given(st.lists(broken(MEMBERS, {"inputs": "a man"}), min_size=8, max_size=8))
    def each(contents: list[bytes]) -> None:
        ask(contents)

    each()
    assert both.served(method, "native") > before + 20


@pytest.mark.parametrize("count", [1, 16, 17, 257])
def test_lists_of_any_length(both: Both, agree: tuple[Agree, str], count: int) -> None:
    """C++ serves each of them."""
    ask, method = agree
    before = both.served(method, "native")
    texts = [f"there will be {number} dragons" for number in range(count)]
    assert ask([json.dumps({"inputs": [*texts[1:], "dragons, " * 300], "truncate": True}).encode()]) == 1
    assert both.served(method, "native") == before + 1
