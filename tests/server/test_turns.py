"""Order of what waits: callers by the bytes that they have had."""

from bothends.server.turns import Turns


def taken(turns: "Turns[str]", count: int) -> str:
    """Take so many, and write their first letters."""
    return "".join((turns.take_next() or "-")[0] for _ in range(count))


def test_a_callers_first_stands_before_anothers_second() -> None:
    turns: Turns[str] = Turns()
    for number in range(100):
        turns.put(f"greedy {number}", 10, "greedy")
    assert turns.take_next() == "greedy 0"
    turns.put("polite", 10, "polite")
    assert "polite" in (turns.take_next(), turns.take_next())


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
    assert turns.take_next(lambda item: item == "free") == "free"
    assert turns.take_next(lambda item: item == "free") is None
    assert turns.take_next() == "held"


def test_callers_of_whom_nothing_waits_are_forgotten() -> None:
    """Whoever owes nothing is, at once, and of others the one who was served longest ago; who waits never is."""
    turns: Turns[str] = Turns()
    turns.put("held", 1, "patient")
    for number in range(5000):
        turns.put("free", 10, number)
        assert turns.take_next(lambda item: item == "free") == "free"
    remembered = turns.callers
    assert remembered <= 1 + 1024
    turns.put("much", 1000, "shed")
    turns.shed()
    turns.put("gone", 10, "removed")
    turns.remove("gone", "removed")
    assert turns.callers == remembered
    assert turns.take_next() == "held"
    assert turns.callers == 0


def test_the_latest_of_those_who_came_once_are_remembered() -> None:
    """A caller who comes back is behind one who has had nothing, however many callers there were before."""
    turns: Turns[str] = Turns()
    turns.put("held", 1, "patient")
    for number in range(5000):
        turns.put("free", 10, number)
        turns.take_next(lambda item: item == "free")
    turns.put("again", 10, 4999)
    turns.put("new", 10, "newcomer")
    assert taken(turns, 3) == "hna"
