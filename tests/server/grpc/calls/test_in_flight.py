"""Messages that are begun: who is told that one is over, whichever is known first."""

from bothends.server.grpc.calls.in_flight import InFlight


class Told:
    """An owner that keeps what it is told."""

    def __init__(self) -> None:
        self.left: list[int] = []

    def leave(self, message_id: int) -> None:
        self.left.append(message_id)


def test_the_owner_is_told_once() -> None:
    in_flight, owner = InFlight(), Told()
    in_flight.add([1, 2, 3], owner)
    in_flight.end(2)
    in_flight.end(2)
    assert owner.left == [2]
    assert [in_flight.remove(number) for number in (1, 2, 3)] == [True, False, True]


def test_an_owner_that_comes_late_is_told_at_once() -> None:
    """A batch's messages that are over aren't answered; the others are."""
    in_flight, owner, other = InFlight(), Told(), Told()
    in_flight.end(2)
    in_flight.add([1, 2, 3], owner)
    assert owner.left == [2]
    assert [number in in_flight for number in (1, 2, 3)] == [True, False, True]
    in_flight.add([2], other)
    assert other.left == [], "it has been told"


def test_what_is_answered_is_told_nothing() -> None:
    in_flight, owner = InFlight(), Told()
    in_flight.add([1], owner)
    assert in_flight.remove(1)
    in_flight.end(1)
    assert owner.left == []


def test_few_are_remembered() -> None:
    """Most that are over when nobody has begun them were answered: the newest may yet come."""
    in_flight, owner = InFlight(), Told()
    for number in range(100_000):
        in_flight.end(number)
    in_flight.add(range(100_000), owner)
    assert owner.left == list(range(100_000 - 4096, 100_000))
