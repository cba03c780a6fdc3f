"""Connections and requests that there may be over HTTP: whoever holds all of them keeps no probe out, and no other."""

from contextlib import ExitStack

from tests.support.until import until

from .raw import Raw
from .web import GET, PROBE, Web, Wire, web

MOST, EXTRA = 3, 8
PROBING = GET.replace(b"/page", PROBE.encode())


def busy(served: Web, stack: ExitStack, *sources: str) -> list[Wire]:
    """Connect from these addresses, and have each wait for an answer."""
    wires = []
    for source in sources:
        wire = stack.enter_context(Wire(served.http_port, source=source)).say(GET)
        served.take_requests()
        wires.append(wire)
    return wires


def test_silent_newcomers_keep_no_probe_out() -> None:
    with web(max_connections=MOST) as served, ExitStack() as stack:
        busy(served, stack, *["127.0.0.3"] * MOST)
        for _ in range(3 * EXTRA):
            stack.enter_context(Wire(served.http_port, source="127.0.0.3"))
        stack.enter_context(Wire(served.http_port, source="127.0.0.3")).say(PROBING)
        [request] = served.take_requests()
        assert request.target == PROBE.encode()
        assert served.figure("http_connections") == MOST


def test_grpc_and_http_have_places_of_their_own() -> None:
    with web(max_connections=1) as served, ExitStack() as stack:
        busy(served, stack, "127.0.0.1")
        raw = stack.enter_context(Raw(served.port))
        raw.echo(b"x")
        served.take_messages()
        assert (served.figure("connections"), served.figure("http_connections")) == (1, 1)


def test_open_requests_have_bounds_and_each_connection_has_one() -> None:
    """By HTTP/2 a connection may have several; of all of them there are so many beside one a connection."""
    with web(requests=3, connection_requests=2) as served, Raw(served.http_port) as greedy:
        first = [greedy.call("/page", headers=[(":method", "GET")]) for _ in range(3)]
        greedy.over(first[2])
        assert (first[2].headers[":status"], first[2].headers["x-refusal"]) == ("429", "crowded")
        with Raw(served.http_port) as other, Wire(served.http_port) as wire:
            other.call("/page", headers=[(":method", "GET")])
            full = other.call("/page", headers=[(":method", "GET")])
            other.over(full)
            assert full.headers["x-refusal"] == "crowded"
            wire.say(GET)
            probe = other.call(PROBE, headers=[(":method", "GET")])
            requests = served.take_requests(5)
            assert served.figure("requests") == 5
            for request in requests:
                served.respond(request)
            other.over(probe)
            assert wire.answer()[0] == 200
        greedy.over(*first)
        until(lambda: served.figure("requests") == 0)
