"""Messages that are begun: who is told that one is over, whichever is known first."""

from bothends.server.grpc.calls.in_flight import Begun


class Told:
    """An owner that keeps what it is told."""

    def __init__(self) -> None:
        self.left: list[int] = []

    def leave(self, message_id: int) -> None:
        self.left.append(message_id)


def test_the_owner_is_told_once() -> None:
    begun, owner = Begun(), Told()
    begun.add([1, 2, 3], owner)
    begun.end(2)
    begun.end(2)
    assert owner.left == [2]
    assert [begun.remove(number) for number in (1, 2, 3)] == [True, False, True]


def test_an_owner_that_comes_late_is_told_at_once() -> None:
    """A batch's messages that are over aren't answered; the others are."""
    begun, owner, other = Begun(), Told(), Told()
    begun.end(2)
    begun.add([1, 2, 3], owner)
    assert owner.left == [2]
    assert [number in begun for number in (1, 2, 3)] == [True, False, True]
    begun.add([2], other)
    assert other.left == [], "it has been told"


def test_what_is_answered_is_told_nothing() -> None:
    begun, owner = Begun(), Told()
    begun.add([1], owner)
    assert begun.remove(1)
    begun.end(1)
    assert owner.left == []


def test_few_are_remembered() -> None:
    """Most that are over when nobody has begun them were answered: the newest may yet come."""
    begun, owner = Begun(), Told()
    for number in range(100_000):
        begun.end(number)
    begun.add(range(100_000), owner)
    assert owner.left == list(range(100_000 - 4096, 100_000))
