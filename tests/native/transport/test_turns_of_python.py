"""What Python answers has its turn among what it doesn't, and is paid for by who asked."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from bothends_native import transport

from bothends.v1.embedding_pb2 import EmbedRequest
from tests.support.until import TIMEOUT_S, until

from .fast import encoder_of, path_of
from .raw import ECHO, Raw, framed
from .served import Served
from .web import GET, Web, Wire

Serve = Callable[..., Served]
PLAIN = EmbedRequest(sentences=["a man"]).SerializeToString()
ODD = PLAIN + b"\xa0\x06\x01"
"""A request with a field that nobody knows, which Python reads."""
COSTS_S = 0.2
FEW = 5


class Stepped:
    """A transport whose only worker is the test."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.path = path_of(served, encoder_of(), max_together=4)

    def step(self) -> list[transport.Message]:
        """Take once; returns the messages for Python, and answers what else was taken."""
        report = self.path.take_messages(64, 0, 1 << 20, 1)
        assert report is not None
        return list(report.messages)

    @property
    def answered(self) -> int:
        """Calls that were answered without Python since this was last asked."""
        return sum(len(seconds) for counts in self.path.served() for seconds in counts.seconds.values())


@pytest.fixture
def callers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_what_python_used_is_paid_before_the_next_of_its_callers_requests(serve: Serve, callers: ExitStack) -> None:
    """A network whose message took long in Python waits for all that another network asks for meanwhile."""
    stepped = Stepped(serve(passes_s=TIMEOUT_S))
    odd = [callers.enter_context(Raw(stepped.served.port, source="127.0.0.3")) for _ in range(2)]
    plain = [callers.enter_context(Raw(stepped.served.port, source="127.0.0.2")) for _ in range(4)]
    odd[0].call(ECHO, framed(ODD))
    (first,) = taken(stepped)
    asked = [raw.call(ECHO, framed(PLAIN)) for raw in plain for _ in range(FEW)]
    odd[1].call(ECHO, framed(ODD))
    until(lambda: stepped.served.figure("waiting") == len(asked) + 1)
    stepped.served.transport.charge(first.id, COSTS_S)
    found, answered = list[transport.Message](), 0
    while not found:
        found = stepped.step()
        answered += stepped.answered
    assert [message.content for message in found] == [ODD]
    assert answered == len(asked)


def test_who_has_had_less_comes_first_by_python_too(serve: Serve, callers: ExitStack) -> None:
    """A message for Python doesn't wait for plain ones of a network that has had more."""
    stepped = Stepped(serve(passes_s=TIMEOUT_S))
    odd = callers.enter_context(Raw(stepped.served.port, source="127.0.0.3"))
    plain = [callers.enter_context(Raw(stepped.served.port, source="127.0.0.2")) for _ in range(4)]
    plain[0].call(ECHO, framed(ODD))
    (dear,) = taken(stepped)
    asked = [raw.call(ECHO, framed(PLAIN)) for raw in plain for _ in range(FEW)]
    odd.call(ECHO, framed(ODD))
    until(lambda: stepped.served.figure("waiting") == len(asked) + 1)
    stepped.served.transport.charge(dear.id, COSTS_S)
    assert [message.content for message in stepped.step()] == [ODD]
    assert stepped.answered < len(asked)


def test_a_request_of_the_application_has_its_turn_too(callers: ExitStack) -> None:
    """A page of a network that has had much comes once workers have taken what others ask for; anybody else's now."""
    web = Web(passes_s=TIMEOUT_S)
    callers.callback(web.stop)
    stepped = Stepped(web)
    greedy = [callers.enter_context(Wire(web.http_port, source="127.0.0.3")) for _ in range(2)]
    polite = callers.enter_context(Wire(web.http_port, source="127.0.0.4"))
    polite.say(GET)
    (page,) = web.take_requests()
    web.respond(page)
    of_plain = callers.enter_context(Wire(web.http_port, source="127.0.0.2"))
    for each in (greedy[0], of_plain):
        each.say(GET)
    first, second = sorted(web.take_requests(2), key=lambda request: request.peer[0], reverse=True)
    callers.enter_context(Raw(web.port, source="127.0.0.2")).echo(PLAIN)
    greedy[1].say(GET)
    until(lambda: web.figure("waiting") == 2)
    web.transport.charge(first.id, COSTS_S)
    web.transport.charge(second.id, COSTS_S / 4)  # what is measured by the clock is far less
    polite.say(GET)
    (of_polite,) = web.take_requests()
    assert of_polite.network != first.network
    while web.figure("waiting") > 1:
        assert not web.has_requests()
        stepped.step()
    assert web.has_requests()
    (of_greedy,) = web.take_requests()
    assert of_greedy.network == first.network


def test_who_has_left_is_charged_nothing(serve: Serve, callers: ExitStack) -> None:
    """A message that is over has no caller here any more, and a number that nobody has does no harm."""
    stepped = Stepped(serve())
    with Raw(stepped.served.port) as raw:
        raw.call(ECHO, framed(ODD))
        (message,) = taken(stepped)
    until(lambda: stepped.served.figure("connections") == 0)
    for number in (message.id, 0, 1 << 63):
        stepped.served.transport.charge(number, COSTS_S)


def taken(stepped: Stepped) -> list[transport.Message]:
    """Step until Python has something."""
    found: list[transport.Message] = []

    def some() -> bool:
        found.extend(stepped.step())
        return bool(found)

    until(some)
    return found
