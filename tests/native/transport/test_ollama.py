"""Ollama's embeddings without Python: what is passed over, what is left to Python, and the time that an answer tells.

Bodies come as messages of gRPC here, and answers are held to Python's own in tests/promises.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from bothends_native import transport

from tests.support.until import TIMEOUT_S, until

from .fast import WORDS, Fast, encoder_of, named, path_of, rows_of
from .raw import ECHO
from .served import Served

START = transport.Truncation.start
QUOTED = 'an "other"'
BAD_OPTIONS: list[Any] = [[], {"stop": ["a"]}, dict.fromkeys(map(str, range(65)))]
BAD_KEEP_ALIVE: list[Any] = [True, []]


def named_models() -> list[transport.NamedModel]:
    return [named("", "m", QUOTED, shown='"m"')]


@pytest.fixture
def embed(serve: Callable[..., Served]) -> Iterator[Fast]:
    made = Fast(serve(), codec=transport.Codec.ollama_embed(models=named_models(), truncation=START))
    yield made
    made.stop()


@pytest.fixture
def embeddings(serve: Callable[..., Served]) -> Iterator[Fast]:
    made = Fast(serve(), codec=transport.Codec.ollama_embeddings(models=named_models(), truncation=START))
    yield made
    made.stop()


def answer(fast: Fast, **members: Any) -> dict[str, Any] | None:
    """Return what C++ answers; None where it leaves the request to Python."""
    content = json.dumps(members).encode()
    with fast.served.channel() as channel:
        found = channel.unary_unary(ECHO)(content, timeout=TIMEOUT_S)
    return None if found == content else dict(json.loads(found))


@pytest.mark.parametrize(
    "members",
    [
        {"options": {}, "keep_alive": "5m"},
        {"options": {"seed": 1, "mirostat": None, "penalize_newline": True, "format": "a"}, "keep_alive": -1.5},
        {"options": {str(number): number for number in range(64)}, "keep_alive": None, "truncate": True},
        {"options": None, "truncate": None, "dimensions": None, "keep_alive": 0},
    ],
)
def test_what_clients_say_beside_their_texts_is_passed_over(embed: Fast, members: dict[str, Any]) -> None:
    found = answer(embed, model="m:latest", input=["a", "man b"], **members)
    assert found is not None
    ids = [[WORDS.index("a")], [WORDS.index("man"), WORDS.index("b")]]
    rows = np.array(rows_of(embed, *ids), np.float32)
    assert np.allclose(found.pop("embeddings"), rows / np.linalg.norm(rows, axis=1, keepdims=True))
    assert found.pop("total_duration") > 0
    assert found == {"model": "m:latest", "load_duration": 0, "prompt_eval_count": 3}


def test_the_older_way_scales_nothing(embeddings: Fast) -> None:
    found = answer(embeddings, prompt="a man")
    assert found is not None
    (row,) = np.array(rows_of(embeddings, [WORDS.index("a"), WORDS.index("man")]), np.float32)
    assert found.keys() == {"embedding"}
    assert np.array_equal(np.array(found["embedding"], np.float32), row)


@pytest.mark.parametrize(
    "members",
    [
        *({"model": name} for name in (":latest", "m:latest:latest", "another", QUOTED, 1)),
        *({"options": given} for given in BAD_OPTIONS),
        *({"keep_alive": given} for given in BAD_KEEP_ALIVE),
        *({"truncate": given} for given in (1,)),
        *({"dimensions": given} for given in (5, 4.0, True)),
        *({"input": given} for given in ("", [], " ", ["a"] * 4, [1], None)),
        {"input": "a b a b man b", "truncate": False},
        {"prompt": "a"},
    ],
)
def test_what_is_not_plain_is_left_to_python(embed: Fast, members: dict[str, Any]) -> None:
    """It has the words, or an answer without a text, or writes a name that JSON quotes."""
    assert answer(embed, **{"input": "a", "model": "m", **members}) is None
    assert embed.count() == 0


@pytest.mark.parametrize(
    "members", [{}, *({"prompt": given} for given in (" ", ["a"], None)), {"prompt": "a", "truncate": True}]
)
def test_a_prompt_that_is_no_text_is_left_to_python(embeddings: Fast, members: dict[str, Any]) -> None:
    assert answer(embeddings, model="m", **members) is None
    assert embeddings.count() == 0


def test_the_time_that_is_told_is_that_since_the_call_came(serve: Callable[..., Served]) -> None:
    """In nanoseconds, and with what it waited until others had come."""
    served = serve()
    path = path_of(
        served,
        encoder_of(),
        codec=transport.Codec.ollama_embed(models=named_models(), truncation=START),
    )
    content = json.dumps({"model": "m", "input": "a"}).encode()
    with served.channel() as channel:
        asked = time.monotonic()
        first = channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)
        until(lambda: served.figure("waiting") == 1)
        came = time.monotonic()
        others = [channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for _ in range(15)]
        until(lambda: served.figure("waiting") == 16)
        waited_s = time.monotonic() - came
        while not all(call.done() for call in (first, *others)):
            path.take_messages(0, 0.1, 0, 1)
        told_s = json.loads(first.result())["total_duration"] / 1e9
        assert waited_s <= told_s <= time.monotonic() - asked
