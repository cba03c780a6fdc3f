"""Turns are by network, then by connection, and by the work that is asked for: no caller takes the service from others,
whatever they ask and however often.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Form
from .turns.attacks import ATTACKS

pytest.importorskip("bothends_native.transport", reason="these bounds are the native transport's", exc_type=ImportError)

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time


@pytest.mark.parametrize("name", ATTACKS)
def test_beside_an_attack(form: Form, record: Callable[..., None], tmp_path: Path, name: str) -> None:
    """No call of others is lost, wrong or starved beside it, however busy the machine is; the bars of time, which hold
    of a machine that does nothing else, are told of where they are missed.
    """
    outcome = ATTACKS[name].run(name, seconds=form.pick(3, 15), folder=tmp_path)
    record(f"turns: {name}", **outcome.figures)
    assert not outcome.wrongs
    if outcome.shortfalls:
        pytest.xfail("; ".join(outcome.shortfalls))
