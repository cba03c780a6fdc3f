"""The native tokenizer by itself: what it is told, what it declines, and what it cuts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.characters import Becomes, asking

wordpiece = pytest.importorskip(
    "bothends_native.wordpiece", reason="bothends-native isn't built (make native)", exc_type=ImportError
)

VOCABULARY = {"?": 0, "a": 1, "ab": 2, "##c": 3, "##cd": 4, ".": 5, "日": 6, "##m": 7, "##n": 8, "é": 1 << 31}
CHARACTERS: dict[str, Becomes] = {
    **{character: character for character in "abcd é"},
    "A": "a",
    "\x00": "",
    ".": " . ",
    "日": " 日 ",
    "\u0301": (),
    "M": ((1, "m"),),
    "N": ((2, "n"),),
    "P": ((2, "m"),),
    "O": ((0, " a"), (2, "n")),
}


def made(**others: Any) -> Any:
    told: dict[str, Any] = {"ask": asking(CHARACTERS), "added": [], "prefix": "##", "unknown": "?", "max_chars": 5}
    return wordpiece.WordPiece(VOCABULARY, **told | others)


def ids(text: str, **others: Any) -> list[int] | None:
    (found,) = made(**others).encode([text], 100)
    return found if found is None else found[0]


def test_a_word_is_its_longest_entries_or_unknown() -> None:
    assert ids("ab acd Ac abd b ac\x00d.é日ab") == [2, 1, 4, 1, 3, 0, 0, 1, 4, 5, 1 << 31, 6, 2]
    assert ids("") == ids("  ") == ids("\x00") == []


def test_marks_are_put_in_order_up_to_what_ends_their_run() -> None:
    """What has no parts ends none; of one rank they stay as they came."""
    assert ids("aMN") == ids("aNM") == ids("aN\u0301M") == [1, 7, 8]
    assert ids("aNPMNM", max_chars=9) == [1, 7, 7, 8, 7, 8]
    assert ids("aN\x00M") == [1, 8, 7]
    assert ids("aNM ab") == [1, 7, 8, 2]
    assert ids("aNMc") == [1, 7, 8, 3]
    assert ids("aNMOM", max_chars=9) == [1, 7, 8, 1, 7, 8]


def test_a_text_is_declined_for_a_character_that_is_not_known() -> None:
    """Near or far; but not where it isn't read."""
    texts = ["a", "x", "a本", "a\U0001f600", "[", "a" * (1 << 20) + "x"]
    assert [found is None for found in made().encode(texts, 9)] == [False, True, True, True, True, True]
    assert made().encode(["a.ax", "a.a.x"], 2) == [None, ([1, 5], True)]


def test_added_tokens_are_found_in_the_text_as_it_came() -> None:
    """The longest of those that begin first; an empty one never."""
    added = [("A", 9, False), ("Ab", 10, False), ("", 11, False), ("日日", 12, False), ("b\u0301", 13, False)]
    assert ids("AbaA日日日b\u0301.b", added=added) == [10, 1, 9, 12, 6, 13, 5, 0]
    assert ids("aNAM", added=[("A", 9, False)]) == [1, 8, 9, 0]


def test_a_single_word_is_found_where_no_word_touches_it() -> None:
    """What was passed over is searched for no other token."""
    added = [(".a", 9, True), ("a", 10, False)]
    assert ids(".a", added=added) == [9]
    assert ids("..a", added=added) == [5, 9]
    assert ids("é.a .aé .a日 .a", added=added) == [1 << 31, 5, 1, 5, 0, 5, 1, 6, 9]


def test_without_a_prefix_entries_are_whole_words() -> None:
    """A word that is none is unknown, or left out."""
    assert ids("a abc ab ac", prefix=None) == [1, 0, 2, 0]
    assert ids("a abc ab ac", prefix=None, unknown=None) == [1, 2]
    assert ids("abd", unknown=None) == []


def test_ids_are_set_around_a_text_that_has_some_of_its_own() -> None:
    """They count as its own do where it is cut."""
    around = {"before": [20, 21], "after": [22]}
    assert ids("a.", **around) == [20, 21, 1, 5, 22]
    assert [ids(text, **around) for text in ("", " ", "\u0301")] == [None] * 3
    assert ids("d", unknown=None, **around) is None
    tokenizer = made(**around)
    assert tokenizer.encode(["a.a."], 3) == [([20, 21, 1], True)]
    assert tokenizer.encode(["a.a."], 3, keep_end=True) == [([1, 5, 22], True)]
    assert tokenizer.encode(["a"], 4) == [([20, 21, 1, 22], False)]


def test_a_zero_behind_a_text_is_no_part_of_it() -> None:
    assert ids("ab", added=[("ab\x00", 9, False)]) == [2]


def test_the_first_or_the_last_are_kept() -> None:
    tokenizer = made(added=[("bb", 9, False)])
    assert tokenizer.encode(["a.ab", "a.", "bbbbbb"], 2) == [([1, 5], True), ([1, 5], False), ([9, 9], True)]
    assert tokenizer.encode(["a.ab", "a."], 2, keep_end=True) == [([5, 2], True), ([1, 5], False)]
    assert tokenizer.encode(["a", ""], 0) == [([], True), ([], False)]


def test_half_a_surrogate_pair_is_declined() -> None:
    assert made().encode(["\ud800", "a\udfff"], 9) == [None, None]


def test_a_block_is_asked_once() -> None:
    """When one of its characters is met, and Latin-1's before; also with many threads, if not at once."""
    asked: list[int] = []

    def ask(first: int) -> Sequence[Any]:
        asked.append(first)
        return asking(CHARACTERS)(first)

    tokenizer = made(ask=ask)
    assert asked == [0]
    with ThreadPoolExecutor(4) as pool:
        texts = ["日" * count for count in range(1, 1001)]
        found = list(pool.map(lambda text: tokenizer.encode([text], 1000)[0], texts))
    assert found == [([6] * count, False) for count in range(1, 1001)]
    assert set(asked) == {0, 0x6500}
    tokenizer.encode(["日a\U0001f600", "日"], 9)
    assert asked[-1] == 0x1F600
    assert asked.count(0x1F600) == 1


def test_what_asking_raises_is_raised() -> None:
    """It is asked again then."""
    answers = [asking(CHARACTERS)(0), None, asking(CHARACTERS)(0x300)]

    def ask(first: int) -> Sequence[Any]:
        if (answer := answers.pop(0)) is None:
            raise KeyError("told")
        return answer

    tokenizer = made(ask=ask)
    with pytest.raises(KeyError, match="told"):
        tokenizer.encode(["a\u0301"], 9)
    assert tokenizer.encode(["a\u0301"], 9) == [([1], False)]


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"unknown": "none"}, "no token for unknown words"),
        ({"ask": lambda first: asking(CHARACTERS)(first)[1:]}, "another number of characters"),
        ({"ask": asking({"a": "a" * 256})}, "too much becomes of a character"),
        ({"ask": asking({"a": ((1, "m"),) * 256})}, "too much becomes of a character"),
    ],
)
def test_what_makes_no_tokenizer_is_refused(others: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made(**others)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="a text is no str"):
        made().encode(["a", b"a"], 9)
