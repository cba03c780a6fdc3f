"""search/pieces.py and what ranks by it: longer texts in equal pieces, and the mean of two scores by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothends.search import exact, hybrid, in_pieces, nearest, similarities, standardised
from bothends.search.words import WordIndex

from .arrays import unit


@given(count=st.integers(0, 400), words=st.integers(1, 60))
def test_pieces_are_equal_and_about_as_long_as_was_said(count: int, words: int) -> None:
    """All words are there in their order; a text that would be one piece has none."""
    said = [f"w{number}" for number in range(count)]
    (text, *pieces), starts = in_pieces(["\n ".join(said)], words=words)
    assert text == "\n ".join(said)
    assert starts.tolist() == [1, 1 + len(pieces)]
    assert " ".join(pieces).split() == (said if pieces else [])
    lengths = [len(piece.split()) for piece in pieces] or [count]
    assert max(lengths) - min(lengths) <= 1
    assert len(pieces) != 1
    assert min(lengths) >= 2 * words / 3 - 1 or not pieces
    assert max(lengths) <= 1.5 * words


def test_rows_are_the_texts_and_then_their_pieces() -> None:
    rows, pieces = in_pieces(["a b c d", "", "e", "f g h i j k"], words=2)
    assert rows == ["a b c d", "", "e", "f g h i j k", "a b", "c d", "f g", "h i", "j k"]
    assert pieces.tolist() == [4, 6, 6, 6, 9]
    assert in_pieces([])[1].tolist() == [0]
    with pytest.raises(ValueError, match="words is 0"):
        in_pieces(["a"], words=0)


@pytest.mark.parametrize("block_rows", [1, 3, 100])
def test_a_texts_score_is_the_mean_of_its_own_and_its_best_pieces(
    block_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows are looked at together; a text without pieces has its own."""
    monkeypatch.setattr(exact, "BLOCK_BYTES", block_rows * 8 * 4)
    rows, pieces = in_pieces(["a b c d", "e", "f g h i j k", "l m", "n o p"], words=1)
    vectors, queries = unit(len(rows), 8), unit(3, 8, seed=1)
    every = queries @ vectors.T
    expected = every[:, :5].copy()
    for text in (0, 2, 3, 4):
        best = every[:, pieces[text] : pieces[text + 1]].max(axis=1)
        expected[:, text] = (every[:, text] + best) / 2
    for query, scores in zip(queries, expected, strict=True):
        np.testing.assert_allclose(similarities(vectors, query, pieces=pieces), scores, rtol=1e-5, atol=1e-6)
    order = np.argsort(-expected, axis=1)[:, :4]
    hits = nearest(vectors, queries, top=4, pieces=pieces)
    assert hits.rows.tolist() == order.tolist()
    np.testing.assert_allclose(hits.scores, np.take_along_axis(expected, order, axis=1), rtol=1e-5, atol=1e-6)


def test_short_texts_cost_nothing() -> None:
    """Neither a row more nor another score."""
    texts = ["one two three", "four", "five six"]
    rows, pieces = in_pieces(texts)
    assert rows == texts
    vectors, queries = unit(3, 8), unit(2, 8, seed=1)
    with_pieces, without = nearest(vectors, queries, top=3, pieces=pieces), nearest(vectors, queries, top=3)
    assert with_pieces.rows.tolist() == without.rows.tolist()
    assert with_pieces.scores.tolist() == without.scores.tolist()


def test_what_has_no_vector_counts_for_nothing() -> None:
    """A text without one is never found, whatever its pieces are; a piece without one leaves the others."""
    _, pieces = in_pieces(["a b", "c d", "e f"], words=1)
    vectors = np.tile(np.array([1, 0], np.float32), (9, 1))
    vectors[[1, 3, 7, 8]] = np.nan  # the second text, a piece of the first, all of the third's
    vectors[2], vectors[4] = [0.6, 0.8], [0, 1]
    hits = nearest(vectors, vectors[:1], top=3, pieces=pieces)
    assert hits.rows.tolist() == [[2, 0]]
    assert hits.scores[0] == pytest.approx([0.6, (1 + 0) / 2])


def test_words_are_those_of_whole_texts() -> None:
    texts = ["dragons sleep in caves", "ships sail", "houses stand in rows all day"]
    rows, pieces = in_pieces(texts, words=2)
    vectors, words = unit(len(rows), 8), WordIndex(texts)
    expected = standardised(similarities(vectors, vectors[1], pieces=pieces)) + standardised(words.scores("a house"))
    hits = hybrid(vectors, vectors[1:2], words, ["a house"], top=3, pieces=pieces)
    assert hits.rows.tolist() == [np.argsort(-expected).tolist()]
    np.testing.assert_allclose(hits.scores[0], np.sort(expected)[::-1], rtol=1e-5)


@pytest.mark.parametrize("rows", [3, 5, 7])
def test_rows_of_another_list_are_refused(rows: int) -> None:
    """As where the texts alone were embedded."""
    _, pieces = in_pieces(["a b c", "d", "e"], words=1)
    with pytest.raises(ValueError, match=f"there are {rows} rows; those of in_pieces, texts and their pieces, are 6"):
        nearest(unit(rows, 8), unit(1, 8), top=1, pieces=pieces)
