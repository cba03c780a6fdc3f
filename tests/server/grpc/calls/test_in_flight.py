"""Messages that are begun: who is told that one is over, whichever is known first."""

from functools import partial

from bothends.server.grpc.calls.in_flight import InFlight


def test_it_is_told_once() -> None:
    in_flight, told = InFlight(), list[int]()
    for number in (1, 2, 3):
        in_flight.add(number, partial(told.append, number))
    in_flight.end(2)
    in_flight.end(2)
    assert told == [2]
    assert [in_flight.remove(number) for number in (1, 2, 3)] == [True, False, True]


def test_who_comes_late_is_told_at_once() -> None:
    """A message that is over isn't answered; the others are."""
    in_flight, told = InFlight(), list[int]()
    in_flight.end(2)
    for number in (1, 2, 3):
        in_flight.add(number, partial(told.append, number))
    assert told == [2]
    assert [in_flight.remove(number) for number in (1, 2, 3)] == [True, False, True]
    in_flight.add(2, partial(told.append, -2))
    assert told == [2], "it has been told"


def test_what_is_answered_is_told_nothing() -> None:
    in_flight, told = InFlight(), list[int]()
    in_flight.add(1, partial(told.append, 1))
    assert in_flight.remove(1)
    in_flight.end(1)
    assert told == []


def test_few_are_remembered() -> None:
    """Most that are over when nobody has begun them were answered: the newest may yet come."""
    in_flight, told = InFlight(), list[int]()
    for number in range(100_000):
        in_flight.end(number)
    for number in range(100_000):
        in_flight.add(number, partial(told.append, number))
    assert told == list(range(100_000 - 4096, 100_000))
