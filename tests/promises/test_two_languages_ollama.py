"""Of Ollama's API what C++ serves and what Python serves are the same JSON, or the same error, whatever is asked."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.importing.tokenising.hard_texts import HARD

from .conftest import Both
from .http_bodies import INPUT, SENTENCE, SIZE, Agree, agreeing, broken

NAMES = ["english", "english:latest", "default", "default:latest", None]
OPTIONS: list[Any] = [None, {}, {"seed": 1, "stop": None}, {"num_ctx": 1e3}, {"stop": ["a"]}, {"a": {}}, [], "a", 1]
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from([*NAMES * 3, "", ":latest", "english:v2", "english:latest:latest", 'an "other"', 1]),
    "options": st.sampled_from([*OPTIONS[:4] * 3, *OPTIONS, {str(number): number for number in range(100)}]),
    "keep_alive": st.sampled_from(["5m", "", -1, 0.5, None, 300, True, [], 10**400]),
}
MEMBERS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "/api/embed": COMMON
    | {
        "input": INPUT,
        "truncate": st.sampled_from([True, False, None, "true", 1]),
        "dimensions": SIZE,
        "prompt": st.just("a"),
    },
    "/api/embeddings": COMMON | {"prompt": st.one_of(SENTENCE, st.just(["a"]), st.none()), "truncate": st.just(True)},
}
PLAIN = {"/api/embed": {"model": "english", "input": "a man"}, "/api/embeddings": {"prompt": "a man"}}


@pytest.fixture(params=MEMBERS)
def agree(request: pytest.FixtureRequest, both: Both) -> Iterator[tuple[Agree, str]]:
    """A way to ask both servers, and the path."""
    with agreeing(both, request.param) as ask:
        yield ask, request.param


def bodies(path: str, texts: Iterator[str]) -> Iterator[bytes]:
    """Make a request of each text, or of three, with one after the other of all options."""
    options = itertools.cycle(itertools.product((True, None, False), (None, 128), OPTIONS[:4], NAMES, (1, 3)))
    while True:
        truncate, size, ignored, name, count = next(options)
        of_path = path == "/api/embed"
        if not (few := list(itertools.islice(texts, count if of_path else 1))):
            return
        members: dict[str, Any] = {"model": name, "options": ignored, "keep_alive": "5m"}
        if of_path:
            members |= {"input": few if count > 1 else few[0], "truncate": truncate, "dimensions": size}
        else:
            members["prompt"] = few[0]
        yield json.dumps(members).encode()


def test_hard_texts(both: Both, agree: tuple[Agree, str]) -> None:
    """Each alone or beside others, with each option; some are too long, blank, or read by the library alone."""
    ask, path = agree
    before = both.served(f"POST {path}", "native")
    answered = ask(list(bodies(path, iter(HARD * 3))))
    assert answered > 40
    assert both.served(f"POST {path}", "native") > before + answered / 4


def test_bodies_of_any_kind(both: Both, agree: tuple[Agree, str]) -> None:
    """Members that are known and others, twice or of another kind; bytes that are no JSON, or nearly."""
    ask, path = agree
    before = both.served(f"POST {path}", "native")

    @hypothesis.settings(max_examples=60, database=None)
    @hypothesis.given(st.lists(broken(MEMBERS[path], PLAIN[path]), min_size=8, max_size=8))
    def each(contents: list[bytes]) -> None:
        ask(contents)

    each()
    assert both.served(f"POST {path}", "native") > before + 20


@pytest.mark.parametrize("name", NAMES)
def test_each_name_of_the_model(both: Both, agree: tuple[Agree, str], name: str | None) -> None:
    """C++ serves whoever asks by any of them, and Ollama's clients, which say more than they are asked."""
    ask, path = agree
    before = both.served(f"POST {path}", "native")
    asked = {**PLAIN[path], "model": name, "options": {"mirostat": None, "num_ctx": 512}, "keep_alive": 300}
    assert ask([json.dumps(asked).encode(), json.dumps({**PLAIN[path], "model": name}).encode()]) == 2
    assert both.served(f"POST {path}", "native") == before + 2


@pytest.mark.parametrize("count", [1, 16, 17, 257])
def test_lists_of_any_length(both: Both, count: int) -> None:
    """C++ serves each of them."""
    before = both.served("POST /api/embed", "native")
    texts = [f"there will be {number} dragons" for number in range(count)]
    asked = {"model": "english:latest", "input": [*texts[1:], "dragons, " * 300]}
    with agreeing(both, "/api/embed") as ask:
        assert ask([json.dumps(asked).encode()]) == 1
    assert both.served("POST /api/embed", "native") == before + 1
