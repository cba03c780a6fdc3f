"""Callers over HTTP who say a byte now and then are sent away in time, and others are served meanwhile."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.until import TIMEOUT_S

from .trickles import TRICKLES, trickling
from .victim import Victim, victim

pytestmark = pytest.mark.chaos
CALLER_TIMEOUT_S = 2
"""Time that a request has to come whole, a fifth of the usual."""
CONNECTIONS = 12
MAX_GROWTH_MB = 50


@pytest.fixture(scope="module")
def attacked() -> Iterator[Victim]:
    with victim(caller_timeout_s=CALLER_TIMEOUT_S) as server:
        yield server


def test_who_says_a_byte_now_and_then(attacked: Victim, record: Callable[..., None]) -> None:
    """A hundred connections of all kinds at once: others are answered beside them, and each comes to its end."""
    kinds = len(TRICKLES)
    with (
        trickling(attacked.http, TRICKLES, connections=CONNECTIONS) as are_open,
        httpx.Client(base_url="http://{}:{}".format(*attacked.http), timeout=TIMEOUT_S) as caller,
    ):
        asked = {"model": "english", "input": "there will be dragons"}
        before = caller.post("/v1/embeddings", json=asked).content
        while are_open():
            assert caller.post("/v1/embeddings", json=asked).content == before
            assert caller.get("/healthz").status_code == 200
            attacked.answers_right()
    attacked.answers_right()
    growth = round(attacked.growth_mb)
    record("HTTP: a byte now and then", kinds=kinds, connections=kinds * CONNECTIONS, growth_mb=growth, lost=0)
    assert growth < MAX_GROWTH_MB
