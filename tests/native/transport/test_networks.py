"""Turns of networks, who calls through a proxy, answers that are bounded before they are made, what can't be cut."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import grpc
import pytest
from bothends_native import transport

from bothends.v1.embedding_pb2 import EmbedRequest
from tests.support.doors import Channel
from tests.support.until import TIMEOUT_S, until

from .fast import EMPTY, named, path_of
from .long import MOST, Long, request_of
from .raw import ECHO, Raw, framed, several
from .served import Served
from .test_called_encoder import DIMENSION, Called, Ids, Offsets, Rows
from .web import Web, Wire

Serve = Callable[..., Served]
PROXY = (socket.inet_aton("127.0.0.9"), 32)
SLOW_S = 0.02
"""Seconds of a run that can't be cut: ten times as long as others are to wait."""
LATELY_S = 0.02
"""Seconds for which a thread is left to those who were served, from when they are taken."""


def networks(served: Served, count: int) -> list[int]:
    """Take so many messages, and return their networks by their contents' order."""
    return [message.network for message in sorted(served.take_messages(count), key=lambda message: message.content)]


def test_a_trusted_proxy_says_who_calls_and_others_do_not(serve: Serve) -> None:
    """Calls on one connection are of several networks then; the network of an address is the same through a proxy."""
    served = serve(proxies=[PROXY])
    with Raw(served.port, source="127.0.0.9") as proxy, Raw(served.port, source="127.0.0.2") as liar:
        for index, header in enumerate(
            [
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-for", "203.0.113.9, 192.0.2.1"),
                ("forwarded", "for=192.0.2.2"),
                ("x-forwarded-for", "unknown"),
            ]
        ):
            proxy.call(ECHO, framed(b"%d" % index), headers=[header])
        until(lambda: served.figure("waiting") == 4)
        liar.call(ECHO, framed(b"4"), headers=[("x-forwarded-for", "192.0.2.1")])
        until(lambda: served.figure("waiting") == 5)
        first, same, other, proxys, liars = networks(served, 5)
    assert first == same
    assert len({first, other, proxys, liars}) == 4


def test_a_trusted_proxy_says_so_over_http_too() -> None:
    """Whoever asks the application, by either version of HTTP, is of the network that the proxy names."""
    web, found = Web(proxies=[PROXY]), list[int]()
    try:
        for index, address in enumerate(("192.0.2.1", "192.0.2.2", "192.0.2.1")):
            head = f"GET /{index} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\n\r\n"
            with Wire(web.http_port, source="127.0.0.9") as wire:
                wire.say(head.encode())
                (request,) = web.take_requests()
                found.append(request.network)
                web.transport.respond(request.id, 200, [], b"")
                wire.answer()
    finally:
        web.stop()
    assert found[0] == found[2] != found[1]


def test_an_answer_that_would_be_too_much_unread_is_not_begun(serve: Serve) -> None:
    """A connection that reads nothing has as much computed as it may leave unread, and then waits; others don't."""
    long = Long(serve(unread_bytes=40_000))
    content = request_of(*["a b"] * MOST)
    with Raw(long.served.port, reads=False, window=0) as deaf, long.served.channel() as other:
        for _ in range(8):
            deaf.call(ECHO, framed(content))
        until(lambda: long.served.figure("waiting") == 8)
        answered = other.unary_unary(ECHO).future(request_of("man"), timeout=TIMEOUT_S)
        until(lambda: long.step() == [] and answered.done())
        for _ in range(100):
            long.step()
        computed = sum(long.computed)
        assert computed - 1 == MOST  # what the second would take at most is too much beside the first
        assert long.served.figure("unread_bytes") <= 40_000 + 20_000
    long.served.let_go()


def test_who_has_read_enough_is_served_on(serve: Serve) -> None:
    """Each call of a connection that reads in the end is answered, though all together were too much at once."""
    long = Long(serve(unread_bytes=40_000))
    content = request_of(*["a b"] * MOST)
    with Raw(long.served.port, window=1 << 30) as late:
        late.http.increment_flow_control_window(1 << 30)
        calls = [late.call(ECHO, framed(content)) for _ in range(8)]
        stop = threading.Event()

        def serve_on() -> None:
            while not stop.is_set():
                long.path.take_messages(0, 0.05, 1 << 20, 1)

        thread = threading.Thread(target=serve_on)
        thread.start()
        late.over(*calls)
        stop.set()
        thread.join(TIMEOUT_S)
    assert {call.status for call in calls} == {"0"}
    assert len({bytes(call.content) for call in calls}) == 1


def test_new_connections_of_a_network_are_read_at_a_bounded_rate_beside_others(serve: Serve) -> None:
    """Beyond those that may come at once they wait for their part of a second; alone they don't."""
    served = serve(max_connections=2000).answering()
    began = time.monotonic()
    with ExitStack() as stack:
        alone = [stack.enter_context(Raw(served.port, source="127.0.0.2")) for _ in range(300)]
        assert served.figure("rests") == 0
        other = stack.enter_context(Raw(served.port, source="127.0.0.3"))
        other.over(other.echo(b"other"))
        more = [stack.enter_context(Raw(served.port, source="127.0.0.2")) for _ in range(100)]
        asked = more[-1].echo(b"late")
        more[-1].over(asked)
        assert served.figure("rests") > 0 or time.monotonic() - began > (400 - 256) / 512  # not that many in that time
        assert asked.content == framed(b"late")
        alone[0].over(alone[0].echo(b"x"))


class Timed(Called):
    """A model whose every run takes so long, and which notes when they were taken, and when two of them were at once:
    after their thread began to look, and before they began to run.
    """

    looks = threading.local()

    def __init__(self, takes_s: float) -> None:
        super().__init__()
        self.takes_s, self.running = takes_s, 0
        self.taken = list[tuple[float, float]]()
        self.both = list[tuple[float, float]]()

    def __call__(self, token_ids: Ids, offsets: Offsets, rows: Rows) -> bool:
        began = time.monotonic()
        self.running += 1
        self.taken.append((self.looks.since, began))
        if self.running > 1:
            self.both.append(self.taken[-1])
        until(lambda: time.monotonic() >= began + self.takes_s)
        self.running -= 1
        return super().__call__(token_ids, offsets, rows)


@pytest.mark.timing
def test_what_cannot_be_cut_leaves_a_thread_to_those_who_are_served_soon(serve: Serve) -> None:
    """With nobody else about, a slow model has both threads; within a moment of a quick one's calls it has one."""
    served, slow, quick = serve(), Timed(SLOW_S), Timed(0)
    codec = transport.Codec.embed(models=[named(name, dimension=DIMENSION) for name in ("slow", "quick")], empty=EMPTY)
    path, stop = path_of(served, slow, quick, codec=codec), threading.Event()

    def work() -> None:
        while not stop.is_set():
            Timed.looks.since = time.monotonic()
            path.take_messages(0, 0.05, 1 << 20, threading.get_ident())

    def ask(channel: Channel, model: str) -> "grpc.Future[bytes]":
        content = EmbedRequest(sentences=["a"], model=model).SerializeToString()
        return channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    with served.channel() as patient, served.channel() as hasty:
        assert ask(patient, "slow").result()  # from now on it is known to take long
        assert all(call.result() for call in [ask(patient, "slow") for _ in range(8)])
        assert slow.both
        for _ in range(4):  # the first is taken for as slow as all others of its network
            assert ask(hasty, "quick").result()
        calls = [ask(patient, "slow") for _ in range(12)]
        while not calls[-1].done():
            assert ask(hasty, "quick").result()
        assert all(call.result() for call in calls)
    stop.set()
    for thread in threads:
        thread.join(TIMEOUT_S)
    # However long a thread is stopped, these were taken in that moment: not before the quick one, and not after it.
    assert not [
        began
        for looked, began in slow.both
        for looked_for_quick, quick_began in quick.taken[3:]
        if quick_began <= looked and began <= looked_for_quick + LATELY_S
    ]


def test_who_has_little_unread_waits_for_no_other_of_its_network(serve: Serve) -> None:
    """Of a network that may leave no more unread, a connection without any is answered, and one with much isn't."""
    long = Long(serve(network_unread_bytes=256 * 400, unread_bytes=100_000))
    content = request_of(*["a b"] * MOST)
    with several(long.served.port, 8, reads=False, window=0) as deaf, long.served.channel() as other:
        for each in deaf:
            for _ in range(2):
                each.call(ECHO, framed(content))
        until(lambda: long.served.figure("waiting") == 16)
        until(lambda: long.step() == [] and sum(long.computed) >= MOST)
        for _ in range(100):
            long.step()
        computed = sum(long.computed)
        assert computed < 16 * MOST
        answered = other.unary_unary(ECHO).future(request_of("man"), timeout=TIMEOUT_S)
        until(lambda: long.step() == [] and answered.done())
        assert sum(long.computed) == computed + 1
    long.served.let_go()
