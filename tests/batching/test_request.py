"""A request as the future that its caller holds."""

from concurrent.futures import CancelledError

import numpy as np
import pytest

from bothends.batching.request import Request
from bothends.batching.runner import Rows
from bothends.errors import EngineError
from tests.support.engines import TERMS, FreeEngine


def request(sentences: int = 3) -> tuple[Request, list[Request]]:
    """A request, and the list of those whose places were given back."""
    forgotten: list[Request] = []
    return Request(sentences, FreeEngine(), TERMS, None, forgotten.append), forgotten


def test_the_last_row_completes_it_in_whatever_order_they_come() -> None:
    """Rows stand where their sentences stood."""
    made, forgotten = request()
    rows, numbers = Rows(made), np.arange(6, dtype=np.float32).reshape(3, 2)
    assert [rows.put(position, numbers[position]) for position in (2, 0, 1)] == [False, False, True]
    made.settle(rows.of)
    assert np.array_equal(made.result(0), numbers)
    assert forgotten == []


def test_cancelling_gives_back_its_places_at_once() -> None:
    """An answer that comes after that is dropped without an error."""
    made, forgotten = request()
    assert made.cancel()
    assert forgotten == [made]
    made.settle(made.no_rows())
    with pytest.raises(CancelledError):
        made.result(0)


def test_an_error_gives_back_its_places() -> None:
    """The other sentences of a request that failed must not be run."""
    made, forgotten = request()
    made.settle(EngineError("the model run failed"))
    assert forgotten == [made]
    with pytest.raises(EngineError):
        made.result(0)


def test_it_is_settled_once() -> None:
    """An answered request stays as it was answered, and can't be cancelled any more."""
    made, _ = request()
    rows = made.no_rows()
    made.settle(rows)
    made.settle(EngineError("too late"))
    assert not made.cancel()
    assert made.result(0) is rows
