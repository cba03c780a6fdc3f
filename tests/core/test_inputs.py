"""Token ids in the place of sentences, in process, as some fronts give them."""

from collections.abc import Iterator

import numpy as np
import pytest

from bothends.core.embedder import Embedder
from bothends.errors import RequestError, SentenceError
from bothends.model.bundle import Bundle
from bothends.options import Options, Truncation
from bothends.settings import EmbedderSettings
from tests.support.until import TIMEOUT_S

WORDS = ["there will be dragons", "a man plays the guitar"]
MOST = 40
"""Tokens that the toy model reads."""


@pytest.fixture(scope="module")
def embedder(toy_bundle: Bundle) -> Iterator[Embedder]:
    settings = EmbedderSettings(device="cpu", workers=1, max_sentences=5, max_request_tokens=100)
    with Embedder.load(toy_bundle, settings=settings) as loaded:
        yield loaded


@pytest.fixture
def ids(embedder: Embedder) -> list[list[int]]:
    """Token ids of WORDS."""
    _, pieces = embedder.tokenise(WORDS)
    return [list(sentence.ids) for sentence in pieces]


def test_ids_are_their_sentences(embedder: Embedder, ids: list[list[int]]) -> None:
    expected, found = embedder.embed(WORDS), embedder.embed(ids)
    assert found.rows.tobytes() == expected.rows.tobytes()
    assert (found.token_counts, found.truncated) == (expected.token_counts, expected.truncated)


@pytest.mark.parametrize("wrong", [[-1], [1, 2, 10**6], [2**63], [-(2**70)]])
def test_ids_past_the_table_are_named(embedder: Embedder, ids: list[list[int]], wrong: list[int]) -> None:
    """An id past the table would fail its whole batch, or be taken from the table's other end."""
    with pytest.raises(SentenceError, match="has token ids that aren't from 0 to") as raised:
        embedder.embed([ids[0], wrong])
    assert raised.value.index == 1
    end = embedder.model.config.vocabulary_size
    assert embedder.embed([[0], [end - 1]]).rows.shape == (2, 32)
    with pytest.raises(SentenceError):
        embedder.embed([[end]])


def test_no_ids_are_no_sentence(embedder: Embedder, ids: list[list[int]]) -> None:
    with pytest.raises(SentenceError, match="holds nothing") as raised:
        embedder.embed([ids[0], []])
    assert raised.value.index == 1
    with pytest.raises(SentenceError):
        embedder.embed([[]])
    with pytest.raises(RequestError, match="no sentences"):
        embedder.embed([])


def test_long_ids_are_cut_as_text_is(embedder: Embedder, ids: list[list[int]]) -> None:
    long = ids[1] * 9 + ids[0]
    assert long[:MOST] != long[-MOST:]
    cases: list[tuple[Truncation, list[int]]] = [("start", long[:MOST]), ("end", long[-MOST:])]
    for truncation, kept in cases:
        found = embedder.embed([long, kept], Options(truncation))
        assert (found.token_counts, found.truncated) == ([MOST, MOST], [True, False])
        assert found.rows[0].tobytes() == found.rows[1].tobytes()
    with pytest.raises(SentenceError, match=f"more than the {MOST} tokens"):
        embedder.embed([long], Options("error"))
    assert embedder.embed([long[:MOST]], Options("error")).truncated == [False]


def test_ids_have_the_same_limits(embedder: Embedder) -> None:
    with pytest.raises(RequestError, match="6 sentences are more than"):
        embedder.embed([[1]] * 6)
    with pytest.raises(RequestError, match="101 tokens are more than"):
        embedder.embed([[1] * 40, [1] * 40, [1] * 21])


def test_unreadable_ids_may_cost_themselves_only(embedder: Embedder, ids: list[list[int]]) -> None:
    errors: list[SentenceError] = []
    accepted, rows = embedder.begin([[-1], ids[0], [], ids[1]], on_error=errors.append)
    found = embedder.finish(accepted, rows.result(TIMEOUT_S))
    assert sorted(error.index for error in errors) == [0, 2]
    assert np.array_equal(found.rows, embedder.embed(ids).rows)
    assert accepted.token_counts == [len(one) for one in ids]
