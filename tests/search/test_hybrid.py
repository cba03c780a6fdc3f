"""search/words.py and search/hybrid.py: BM25 by its formula, and both rankings together."""

import math
import sys

import numpy as np
import pytest

from bothends.search import WordIndex, hybrid, nearest, similarities, standardised
from tests.support.ran import ran

from .arrays import unit

TEXTS = ["Dragons fly over the sea", "A dragon sleeps", "Invoice 4711 is due", "", "Ships sail over the sea"]


def test_words_are_scored_by_the_formula() -> None:
    """By stems, without words such as "the": of "dragon" and "sea", which occur in two texts each of five."""
    scores = WordIndex(TEXTS).scores("Dragons of the sea")
    lengths = np.array([4, 2, 3, 0, 4])  # dragon fli over sea | dragon sleep | invoic 4711 due | | ship sail over sea
    norms = 1.2 * (1 - 0.75 + 0.75 * lengths / lengths.mean())
    weight = math.log(1 + (5 - 2 + 0.5) / (2 + 0.5))
    expected = weight * np.array([2, 1, 0, 0, 1]) / (1 + norms)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_a_query_of_unknown_words_scores_nothing() -> None:
    assert WordIndex(TEXTS).scores("the unheard").tolist() == [0] * 5
    assert WordIndex(TEXTS).scores("the").tolist() == [0] * 5
    assert WordIndex(["", "the"]).scores("dragon").tolist() == [0, 0]
    assert WordIndex([]).scores("dragon").tolist() == []


def test_scores_of_two_kinds_are_made_alike() -> None:
    found = standardised(np.array([1, 2, 3, np.nan], np.float32))
    np.testing.assert_allclose(found, [-math.sqrt(1.5), 0, math.sqrt(1.5), math.nan], atol=1e-6)
    assert standardised(np.full(3, 7, np.float32)).tolist() == [0, 0, 0]
    assert standardised(np.full(2, np.nan, np.float32)).shape == (2,)


def test_both_rankings_count() -> None:
    """A row that is near and shares words is first; words that nobody has leave the ranking by vectors."""
    vectors = unit(len(TEXTS), 8)
    vectors[3] = np.nan
    words = WordIndex(TEXTS)
    query = vectors[0:1] + vectors[2:3]
    by_number = hybrid(vectors, query, words, ["invoice 4711"], top=5)
    assert by_number.rows[0, 0] == 2
    assert 3 not in by_number.rows
    by_vectors = hybrid(vectors, query, words, ["nothing of this"], top=4)
    assert by_vectors.rows.tolist() == nearest(vectors, query, top=4).rows.tolist()
    assert hybrid(vectors, unit(0, 8), words, [], top=4).rows.shape == (0, 0)


def test_both_rankings_count_the_same() -> None:
    """Rows that are nearly alike are told apart by their cosines as well as by words, whose scores spread wider."""
    vectors = np.array([1, 0], np.float32) + 0.01 * unit(len(TEXTS), 2)
    query, words = vectors[1] / np.linalg.norm(vectors[1]), WordIndex(TEXTS)
    sums = [each - each.mean() for each in (similarities(vectors, query), words.scores("dragons"))]
    expected = sum(each / each.std() for each in sums)
    (scores,) = hybrid(vectors, query[np.newaxis], words, ["dragons"], top=len(TEXTS)).scores
    np.testing.assert_allclose(scores, np.sort(expected)[::-1], atol=1e-4)


def test_without_its_libraries_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['bm25s'] = None\nfrom bothends.search import WordIndex; WordIndex(['a'])"
    ended = ran(sys.executable, "-c", code)
    assert "search by words needs bm25s: pip install 'bothends[search]'" in ended.stderr


@pytest.mark.parametrize("top", [1, 2])
def test_as_many_are_found_as_were_asked_for(top: int) -> None:
    assert hybrid(unit(5, 8), unit(2, 8, seed=1), WordIndex(TEXTS), ["sea", "due"], top=top).rows.shape == (2, top)
