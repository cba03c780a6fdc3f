"""Altered copies: what each kind changes, how many there are, and that they are the same ones every time."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothends_training import augment
from bothends_training.augment import delete_span, negate, replace_word, scramble
from bothends_training.recipe import Corpus
from tests.support import toy


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  tests need no secrets


def made(sentences: Sequence[str], *, read: int = augment.READ, **shares: float) -> list[list[str]]:
    plan = Corpus(path="corpus.txt", sentences=len(sentences), **shares)
    return list(augment.augment(sentences, plan, read=read))


@given(
    st.lists(st.sampled_from(["a", "b", "c,", "d", "e"]), max_size=8),
    st.sampled_from(["", ".", "?!", " ."]),
    st.integers(),
)
def test_scrambling_keeps_words_and_end_mark(words: list[str], end: str, seed: int) -> None:
    """The words stay the same in another order, and the last mark stays the last."""
    copy = scramble(" ".join(words) + end, chance(seed))
    assert copy.endswith(end.strip())
    assert Counter(copy.removesuffix(end.strip()).split()) == Counter(words)


def test_a_word_is_replaced_by_one_that_stood_between_the_same_neighbours() -> None:
    """The case plays no part; each such word comes in time; a sentence without such a place comes back."""
    between = {"plays guitar": ["the", "a", "his"], " sings": ["nobody"]}
    found = {replace_word("Somebody Plays the Guitar", between, chance(seed)) for seed in range(50)}
    assert found == {"Somebody Plays a Guitar", "Somebody Plays his Guitar"}
    assert replace_word("Somebody sings", between, chance(0)) == "nobody sings"
    assert replace_word("Somebody hums", between, chance(0)) == "Somebody hums"
    assert replace_word("", between, chance(0)) == ""


@pytest.mark.parametrize(
    ("sentence", "opposite"),
    [
        ("A man is singing", {"A man is not singing"}),
        ("A man isn't singing", {"A man is singing"}),
        ("The cat IS NOT here", {"The cat IS here"}),
        ("A dog chases the cat", {"no dog chases the cat", "A dog chases no cat"}),
        ("What can I do?", {"What can not I do?", "What can I do not?"}),
        ("Birds sing", {"Birds sing"}),
    ],
)
def test_negation_comes_or_goes(sentence: str, opposite: set[str]) -> None:
    """A "not" that is there goes; else one comes behind an auxiliary verb, or "no" for an article."""
    assert {negate(sentence, chance(seed)) for seed in range(30)} == opposite


@given(st.integers(1, 12), st.integers())
def test_shortening_leaves_out_one_run_of_words(count: int, seed: int) -> None:
    """A third of the words goes at most, and of fewer than three none."""
    words = [str(number) for number in range(count)]
    left = delete_span(" ".join(words), chance(seed)).split()
    gone = count - len(left)
    assert gone == 0 if count < 3 else 1 <= gone <= count // 3
    assert any(left == words[:start] + words[start + gone :] for start in range(count))


def test_about_the_share_asked_for_has_copies_behind_it() -> None:
    """No sentence is moved or lost, none comes twice in a group, and shares of nothing make no copy."""
    sentences = toy.sentences(2000)
    found = made(sentences, scrambled=0.3, varied=0.2)
    assert [group[0] for group in found] == sentences
    assert all(len(set(group)) == len(group) <= 4 for group in found)
    other_order = sum(any(sorted(copy.split()) == sorted(of.split()) for copy in group) for of, *group in found)
    assert 0.2 < other_order / 2000 < 0.3  # short sentences and their like come back as they were
    other_words = sum(any(sorted(copy.split()) != sorted(of.split()) for copy in group) for of, *group in found)
    assert 0.17 < other_words / 2000 < 0.23
    assert made(sentences) == [[sentence] for sentence in sentences]


def test_copies_follow_from_their_sentence_and_the_first_ones() -> None:
    """A longer corpus makes the same copies of its first sentences as a shorter one, and a larger share the same ones
    and more.
    """
    sentences = toy.sentences(500)
    longer = made(sentences, scrambled=0.3, varied=0.3, read=200)
    assert longer[:300] == made(sentences[:300], scrambled=0.3, varied=0.3, read=200)
    larger = made(sentences, scrambled=0.6, varied=0.6, read=200)
    assert all(set(group) <= set(same) for group, same in zip(longer, larger, strict=True))
    assert sum(map(len, longer)) < sum(map(len, larger))


def test_words_in_front_come_where_something_else_is_stated() -> None:
    """The copy that says the same stands behind those that don't, and beside no sentence that has none of them."""
    (found, (alone,)) = made(["Tom has 12 apples", "birds sing"], swapped=1, introduced=1)
    assert len(found) == 4
    assert found[3].endswith(" Tom has 12 apples")
    assert alone == "birds sing"
    assert [len(group) for group in made(["Tom has 12 apples"], swapped=1)] == [3]
