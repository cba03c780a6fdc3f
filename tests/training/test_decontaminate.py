"""Near duplicates of held-out sentences: found wherever a comparison of every pair finds one, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothends_training.decontaminate import NearDuplicates

any_sentence = st.lists(st.sampled_from(list("abcdefghij")), min_size=1, max_size=12).map(" ".join)


def jaccard(one: str, other: str) -> float:
    a, b = set(one.split()), set(other.split())
    return len(a & b) / len(a | b)


@given(
    held_out=st.lists(any_sentence, max_size=8),
    sentence=any_sentence,
    threshold=st.sampled_from([0.2, 0.5, 0.6, 0.75, 0.8, 1.0]),
)
def test_what_every_pair_would_say(held_out: list[str], sentence: str, threshold: float) -> None:
    """The few words that are looked up miss nothing, at a threshold that is met exactly too."""
    assert NearDuplicates(held_out, threshold).match(sentence) == any(
        jaccard(sentence, g) >= threshold for g in held_out
    )


@pytest.mark.parametrize(
    ("sentence", "near"),
    [
        ("A man is playing a guitar.", True),
        ("a MAN, is playing: a guitar", True),
        ("playing a guitar is a man", True),
        ("A young man is playing a guitar.", True),
        ("A young man is playing a big guitar.", False),
        ("A woman is playing a guitar.", False),
        ("", False),
        ("...", False),
    ],
)
def test_words_count_and_nothing_else(sentence: str, near: bool) -> None:
    """Order, case, number and the marks between play no part; at 0.8 five words of six match, five of seven don't."""
    assert NearDuplicates(["A man is playing a guitar.", "..."], 0.8).match(sentence) == near
