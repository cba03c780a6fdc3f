"""Order of what waits: networks, then callers, by what they have had, and a caller's own by age."""

from pathlib import Path

import pytest

from bothends.server.caller import Caller
from bothends.server.turns import Turns

CASES = Path(__file__).parents[2] / "native/check/units/turns.txt"
"""What the native transport is held to as well."""
GREEDY, POLITE = Caller("a", "greedy"), Caller("b", "polite")


def cases() -> list[list[str]]:
    """Return the paragraphs of the cases, without what is said of them."""
    lines = CASES.read_text(encoding="utf-8").splitlines()[1:-1]
    paragraphs = "\n".join(line for line in lines if not line.startswith("#")).strip().split("\n\n")
    return [paragraph.strip().splitlines() for paragraph in paragraphs if paragraph.strip()]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case[-1])
def test_turns_are_those_of_the_native_transport(case: list[str]) -> None:
    turns: Turns[str] = Turns()
    for line in case:
        match line.split():
            case ["put", network, caller, ms]:
                turns.put(caller, Caller(network, caller), work_s=float(ms) / 1000)
            case ["charge", network, caller, ms]:
                turns.charge(Caller(network, caller), float(ms) / 1000)
            case ["take", expected]:
                assert "".join(turns.take_next() or "-" for _ in expected) == expected


def test_what_left_is_not_taken() -> None:
    turns: Turns[str] = Turns()
    for item in ("a", "b", "c"):
        turns.put(item, GREEDY, work_s=0.1, size=5)
    assert turns.remove("b", GREEDY)
    assert not turns.remove("b", GREEDY)
    assert not turns.remove("b", POLITE)
    assert turns.bytes == 10
    assert [turns.take_next() for _ in range(3)] == ["a", "c", None]
    assert turns.bytes == len(turns) == 0


def test_the_network_that_has_max_loses_its_greediest_callers_latest() -> None:
    turns: Turns[str] = Turns()
    turns.put("alone", POLITE, work_s=0.1, size=150)
    turns.put("small", Caller("a", "modest"), work_s=0.1, size=10)
    for number in range(2):
        turns.put(f"{number} large", GREEDY, work_s=0.1, size=100)
    assert turns.shed() == "1 large"
    assert turns.shed() == "alone"
    assert len(turns) == 2


def test_some_may_have_to_wait() -> None:
    """Items of other callers go before them."""
    turns: Turns[str] = Turns()
    turns.put("held", GREEDY, work_s=1)
    turns.put("free", POLITE, work_s=1)
    assert turns.take_next(lambda item: item == "free") == "free"
    assert turns.take_next(lambda item: item == "free") is None
    assert turns.take_next() == "held"


def test_callers_of_whom_nothing_waits_are_forgotten() -> None:
    """Of too many, those who came first; who waits never is, and nobody is remembered once nothing waits."""
    turns: Turns[str] = Turns()
    turns.put("held", GREEDY, work_s=1)
    for number in range(3000):
        turns.put("free", Caller(number % 7, number), work_s=0.01)
        assert turns.take_next(lambda item: item == "free") == "free"
    assert turns.callers <= 1 + 1024
    assert turns.take_next() == "held"
    assert turns.callers == 0
