"""Bytes of requests on their way: how many there may be in all, and whose give way."""

from bothends.server.budget import Arrival, ByteBudget


def test_the_largest_of_who_has_the_max_gives_way() -> None:
    """Many small ones of one network are more than a large one of another."""
    budget, shed = ByteBudget(100), list[str]()

    def came(name: str, network: bytes, size: int) -> Arrival:
        arrival = budget.arrival(network, lambda: shed.append(name))
        arrival.add(size)
        return arrival

    came("small", b"greedy", 20)
    larger = came("larger", b"greedy", 40)
    polite = came("large", b"polite", 35)
    assert shed == []
    came("newcomer", b"newcomer", 10)
    assert shed == ["larger"]
    assert (larger.is_shed, polite.is_shed, budget.held_bytes) == (True, False, 65)
    larger.add(1000)
    assert budget.held_bytes == 65


def test_what_is_handed_on_counts_no_more() -> None:
    budget = ByteBudget(100)
    with budget.arrival(b"one", lambda: None) as arrival:
        arrival.add(60)
        arrival.add(30)
        assert budget.held_bytes == 90
    assert budget.held_bytes == 0


def test_one_alone_may_be_larger() -> None:
    """A server whose messages may be larger than all of the budget takes them one at a time."""
    shed = list[str]()
    ByteBudget(100).arrival(b"one", lambda: shed.append("it")).add(1000)
    assert shed == []
