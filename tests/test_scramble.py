"""Scrambled copies: the same words in another order, the same ones every time."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bothends_training.scramble import scrambled, with_scrambled

from . import toy


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  tests need no secrets


@given(
    st.lists(st.sampled_from(["a", "b", "c,", "d", "e"]), max_size=8),
    st.sampled_from(["", ".", "?!", " ."]),
    st.integers(),
)
def test_words_and_end_mark_stay(words: list[str], end: str, seed: int) -> None:
    """Only the order changes, and the last mark stays the last."""
    copy = scrambled(" ".join(words) + end, chance(seed))
    assert copy.endswith(end.strip())
    assert Counter(copy.removesuffix(end.strip()).split()) == Counter(words)


def test_words_and_chunks_change_places() -> None:
    """Both kinds come, and different words nearly always end in another order."""
    copies = [scrambled("one two three four five.", chance(seed)) for seed in range(200)]
    assert "five two three four one." in copies, "two words"
    assert "three four five one two." in copies, "two chunks"
    assert copies.count("one two three four five.") == 0
    assert len(set(copies)) > 20


def test_about_the_share_asked_for_is_copied_right_behind_its_original() -> None:
    """Nothing else is added, dropped or moved."""
    sentences = toy.sentences(2000)
    made = list(with_scrambled(sentences, 0.3))
    originals = iter(sentences)
    current, copies = "", 0
    for sentence in made:
        if Counter(sentence.split()) == Counter(current.split()) and sentence != current:
            copies += 1
        else:
            current = next(originals)
            assert sentence == current
    assert next(originals, None) is None
    assert 0.2 < copies / len(sentences) < 0.3  # short sentences and their like come back as they were
    assert list(with_scrambled(sentences, 0.0)) == sentences


def test_a_copy_follows_from_its_sentence_alone() -> None:
    """The teachers' vectors of a shorter corpus's copies serve a longer one, and those of a smaller share a larger."""
    sentences = toy.sentences(500)
    made, longer = (list(with_scrambled(part, 0.3)) for part in (sentences[100:200], sentences))
    start = longer.index(sentences[100])
    assert longer[start : start + len(made)] == made
    larger = list(with_scrambled(sentences, 0.6))
    assert set(longer) < set(larger)
