"""What a unit costs, by what it took: a pause of the process isn't in it."""

from bothends.server.price import Price


def test_nobody_pays_for_a_pause_of_the_process() -> None:
    price = Price()
    for _ in range(20):
        price.note(1, 1e-4)
    price.note(1, 2)
    assert price.of(1) < 2e-4


def test_what_has_become_dearer_is_found_out() -> None:
    price = Price()
    price.note(10, 1e-3)
    assert price.of(1) == 1e-4
    for _ in range(60):
        price.note(1, 2)
    assert 1.9 < price.of(1) < 2
