"""Malformed HTTP/2 is cut off or told why; others are answered as ever, in bounded memory.

Each abuse goes on while a good client asks on a connection of its own.
"""

import random
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.until import TIMEOUT_S

from .conftest import Form
from .hostile import ABUSES, Abuse
from .hostile_http import HTTP_ABUSES
from .published import PUBLISHED
from .victim import Victim, victim

pytestmark = pytest.mark.chaos
MAX_GROWTH_MB = 150
"""Bound for all abuses together, at the worst moment: gRPC keeps buffers for those that it hasn't cut off yet."""
ALL = [*ABUSES, *PUBLISHED]
_SEND_S = 5.0
SENTENCE = {"model": "english", "input": "there will be dragons"}


@pytest.fixture(scope="module")
def attacked() -> Iterator[Victim]:
    with victim() as server:
        yield server


@pytest.fixture(scope="module")
def tally() -> dict[str, int]:
    """Counts of what all abuses together sent."""
    return {"connections": 0, "sent_bytes": 0}


def send(abuse: Abuse, chance: random.Random, connection: socket.socket) -> int:
    """Send as much as the server takes, and read nothing of what it says; returns the bytes sent."""
    connection.settimeout(_SEND_S)
    sent, end = 0, time.monotonic() + _SEND_S
    try:
        for piece in abuse(chance):
            connection.sendall(piece)
            sent += len(piece)
            if time.monotonic() > end:
                break
    except OSError:  # cut off, or no longer read
        pass
    return sent


@pytest.mark.parametrize("abuse", ALL, ids=lambda abuse: abuse.__name__)
def test_abuse_harms_nobody_else(
    attacked: Victim, tally: dict[str, int], form: Form, record: Callable[..., None], abuse: Abuse
) -> None:
    """A good client is answered while the abuser's connection is open, and once it is closed."""
    chance = random.Random(abuse.__name__)
    for _ in range(form.pick(2, 50)):
        with socket.create_connection(attacked.grpc) as connection:
            tally["sent_bytes"] += send(abuse, chance, connection)
            attacked.answers_right()
        tally["connections"] += 1
    attacked.answers_right()
    growth, slowest = round(attacked.growth_mb), round(attacked.slowest_s * 1e3)
    record("malformed HTTP/2", kinds=len(ALL), **tally, growth_mb=growth, slowest_good_answer_ms=slowest, lost=0)
    assert growth < MAX_GROWTH_MB


@pytest.mark.parametrize("abuse", HTTP_ABUSES, ids=lambda abuse: abuse.__name__)
def test_abuse_of_the_other_port_harms_nobody_else(
    attacked: Victim, form: Form, record: Callable[..., None], abuse: Abuse
) -> None:
    """The port of HTTP takes HTTP/2 too: good clients of both ports are answered beside it."""
    chance = random.Random(abuse.__name__)
    with httpx.Client(base_url="http://{}:{}".format(*attacked.http), timeout=TIMEOUT_S) as caller:
        for _ in range(form.pick(1, 25)):
            with socket.create_connection(attacked.http) as connection:
                send(abuse, chance, connection)
                assert caller.post("/v1/embeddings", json=SENTENCE).status_code == 200
                assert caller.get("/healthz").status_code == 200
                attacked.answers_right()
    attacked.answers_right()
    growth, slowest = round(attacked.growth_mb), round(attacked.slowest_s * 1e3)
    record("HTTP/2 on HTTP's port", kinds=len(HTTP_ABUSES), growth_mb=growth, slowest_good_answer_ms=slowest, lost=0)
    assert growth < MAX_GROWTH_MB
