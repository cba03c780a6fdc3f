"""Order of what waits: callers by the bytes that they have had."""

from bothends.server.turns import Turns


def taken(turns: "Turns[str]", count: int) -> str:
    """Take so many, and write their first letters."""
    return "".join((turns.take() or "-")[0] for _ in range(count))


def test_a_callers_first_stands_before_anothers_second() -> None:
    turns: Turns[str] = Turns()
    for number in range(100):
        turns.put(f"greedy {number}", 10, "greedy")
    assert turns.take() == "greedy 0"
    turns.put("polite", 10, "polite")
    assert "polite" in (turns.take(), turns.take())


def test_turns_are_by_bytes() -> None:
    turns: Turns[str] = Turns()
    for _ in range(10):
        turns.put("long", 1000, "long")
    for _ in range(50):
        turns.put("short", 100, "short")
    assert taken(turns, 22).count("l") == 2


def test_who_asks_for_one_after_the_other_gains_nothing() -> None:
    """A caller is remembered while others wait."""
    turns: Turns[str] = Turns()
    for _ in range(50):
        turns.put("short", 100, "short")
    turns.put("long", 1000, "long")
    found = ""
    for _ in range(22):
        found += taken(turns, 1)
        if found[-1] == "l":
            turns.put("long", 1000, "long")
    assert found.count("l") in (2, 3)


def test_what_left_is_not_taken() -> None:
    turns: Turns[str] = Turns()
    for item in ("a", "b", "c"):
        turns.put(item, 5, "one")
    assert turns.remove("b", "one")
    assert not turns.remove("b", "one")
    assert not turns.remove("b", "another")
    assert turns.bytes == 10
    assert taken(turns, 3) == "ac-"
    assert turns.bytes == len(turns) == 0


def test_who_has_most_loses_the_latest() -> None:
    turns: Turns[str] = Turns()
    turns.put("small", 10, "polite")
    for number in range(3):
        turns.put(f"{number} large", 100, "greedy")
    assert turns.shed() == "2 large"
    assert turns.shed() == "1 large"
    assert len(turns) == 2


def test_some_may_have_to_wait() -> None:
    """Items of other callers go before them."""
    turns: Turns[str] = Turns()
    turns.put("held", 1, "one")
    turns.put("free", 1, "other")
    assert turns.take(lambda item: item == "free") == "free"
    assert turns.take(lambda item: item == "free") is None
    assert turns.take() == "held"
