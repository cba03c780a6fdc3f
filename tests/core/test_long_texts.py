"""Where a long text is cut into pieces, and the row that theirs make."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothends.core.embedder import Embedder
from bothends.core.long_texts import in_pieces, mean_of_pieces, piece_ends
from bothends.model.bundle import Bundle
from bothends.options import Options
from bothends.settings import EmbedderSettings

GOES_ON = 1
MOST = 40
"""Tokens that the toy model reads."""
PIECES = Options("pieces")


@given(st.integers(1, 300), st.lists(st.sampled_from([0, GOES_ON]), min_size=1, max_size=400))
def test_pieces_are_few_and_about_equal(max_tokens: int, ids: list[int]) -> None:
    """Each has one token at least and what the model reads at most; nothing is lost, and what fits isn't cut."""
    ends = piece_ends(ids, max_tokens=max_tokens, continuing={GOES_ON})
    sizes = np.diff([0, *ends])
    assert ends[-1] == len(ids)
    assert 1 <= sizes.min() <= sizes.max() <= max_tokens
    assert (len(ends) == 1) == (len(ids) <= max_tokens)
    assert len(ends) == 1 or sizes.max() - sizes.min() <= 2 * (min(max_tokens, 64) // 8) + 1
    assert len(ends) == 1 or sizes.max() <= 72


def test_a_cut_is_moved_to_the_word_that_is_near() -> None:
    """By less than an eighth of a piece; one in a word that is longer stays where it was."""
    ids = [0] * 80
    assert piece_ends(ids, max_tokens=64, continuing={GOES_ON}) == [40, 80]
    ids[36:46] = [GOES_ON] * 10
    assert piece_ends(ids, max_tokens=64, continuing={GOES_ON}) == [35, 80]
    ids[30:46] = [GOES_ON] * 16
    assert piece_ends(ids, max_tokens=64, continuing={GOES_ON}) == [40, 80]


def test_pieces_are_counted_where_any_sentence_has_several() -> None:
    assert in_pieces([[0], [0, 0]], max_tokens=2, continuing=()) == ([[0], [0, 0]], None)
    assert in_pieces([[0], [1, 2, 3]], max_tokens=2, continuing=()) == ([[0], [1], [2, 3]], [1, 2])


def test_the_row_is_the_direction_of_the_mean_of_all() -> None:
    """A piece counts as much as another, however long its row is; a sentence of one keeps its row's length."""
    rows = np.array([[3, 0], [0, 10], [0, 2], [0, 0], [0, 0]], np.float32)
    found = mean_of_pieces(rows, [2, 1, 2])
    np.testing.assert_allclose(found, [[0.5**0.5, 0.5**0.5], [0, 2], [0, 0]], rtol=1e-7)


@pytest.fixture(scope="module")
def embedder(toy_bundle: Bundle) -> "Embedder":
    return Embedder.load(toy_bundle, settings=EmbedderSettings(device="cpu", workers=1, max_request_tokens=400))


def test_a_text_in_pieces_is_read_whole(embedder: Embedder) -> None:
    """Its row is that of its pieces, each embedded as a sentence; company and ids instead of text change no bit."""
    with embedder:
        ids = [1 + number % 7 for number in range(100)]
        found = embedder.embed([ids, [3, 4], ids[:MOST], ids[: MOST + 1]], PIECES)
        assert found.token_counts == [100, 2, MOST, MOST + 1]
        assert found.truncated == [False] * 4
        pieces, counts = in_pieces([ids], max_tokens=MOST, continuing=embedder.model.tokenizer.continuing)
        assert counts == [3]
        assert found.rows[:1].tobytes() == mean_of_pieces(embedder.embed(pieces).rows, counts).tobytes()
        whole = embedder.embed([[3, 4], ids[:MOST]])
        assert found.rows[1:3].tobytes() == whole.rows.tobytes()
        assert found.rows[3:].tobytes() == embedder.embed([ids[: MOST + 1]], PIECES).rows.tobytes()
