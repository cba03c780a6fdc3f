"""The transport from many threads at once, and each call counted once whatever becomes of it."""

import random
import select
import threading
from collections.abc import Callable
from functools import partial

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw, framed
from .served import ROW, Served

Serve = Callable[..., Served]


def together(*tasks: Callable[[], object]) -> None:
    """Run each in a thread of its own, and raise what one of them raised."""
    raised: list[BaseException] = []

    def run(task: Callable[[], object]) -> None:
        try:
            task()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S + 10)  # longer than each waits by itself, so that it tells what it waited for
    if raised:
        raise raised[0]
    assert not any(thread.is_alive() for thread in threads)


def by_whim(served: Served, seed: int) -> None:
    """Calls of every kind and fate."""
    whim = random.Random(seed)  # noqa: S311  a test, not a secret
    with Raw(served.port) as raw:
        for _ in range(60):
            path = whim.choice([ECHO, ECHO, ROW, "/t.T/No"])
            content = framed(*[whim.choice([b"", b"x" * 100, b"y" * 20_000])] * whim.choice([1, 1, 2]))
            content = whim.choice([content, content, content[:-1], framed(b"bad")])
            timeout = [("grpc-timeout", whim.choice(["0n", "1u", "1m", "60S"]))] * whim.choice([0, 0, 1])
            response = raw.call(path, content, ends=whim.random() < 0.8, headers=timeout)
            if select.select([raw.socket], [], [], 0)[0]:
                raw.read()
            if whim.random() < 0.3 and not response.is_over:
                raw.reset(response)


def one_of_each(served: Served) -> None:
    """A stream of every fate, each waited for: by whim all callers may leave before they are answered."""
    with Raw(served.port) as raw:
        raw.reset(raw.call(ROW, framed(b"x"), ends=False))
        fates = [framed(b"x"), framed(b"bad"), framed(b"x")[:-1]]
        responses = [raw.call(ROW, content) for content in fates]
        late, unknown = raw.call(ROW, framed(b"x"), headers=[("grpc-timeout", "0n")]), raw.call("/t.T/No", framed(b"x"))
        raw.over(*responses, late, unknown)


@pytest.mark.parametrize("slots", [512, 3])
def test_each_call_is_counted_once(serve: Serve, slots: int) -> None:
    """Python counts the unary calls that it took, the transport all others: refused, late, cancelled, torn, and
    streams.
    """
    served = serve(max_concurrent_requests=slots).answering(2)
    whims = [partial(by_whim, served, seed) for seed in range(6)]
    together(lambda: one_of_each(served), *whims)
    served.let_go(of_connections=True)

    def by_python() -> int:
        return sum(message.method == 0 for message in served.messages)

    until(lambda: by_python() + len(served.count()) >= served.figure("calls_begun"))
    assert by_python() + len(served.count()) == served.figure("calls_begun")
    assert {code for _, code, _ in served.count()} >= {0, 1, 3, 4, 12, 13}


def test_all_at_once(serve: Serve) -> None:
    """Takers, answerers, callers, watchers and whoever asks or says something, until it stops beneath them."""
    served = serve(age_s=0.3).answering(3)
    is_over = threading.Event()

    def calls() -> None:
        while not is_over.is_set():
            with served.channel() as channel:
                try:
                    assert channel.unary_unary(ECHO)(b"x", timeout=TIMEOUT_S) == b"x"
                    assert list(channel.stream_stream(ROW)(iter([b"a"] * 20), timeout=TIMEOUT_S)) == [b"a"] * 20
                except grpc.RpcError as error:
                    assert is_over.is_set() or error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017

    def watches() -> None:
        with served.channel() as channel:
            watch = HealthStub(channel).Watch(HealthCheckRequest(), timeout=TIMEOUT_S)
            with pytest.raises(grpc.RpcError):
                list(watch)

    def says() -> None:
        for turn in range(300):
            served.transport.set_serving(turn % 2 == 0)
            assert served.figure("calls") >= 0
            served.ended += served.transport.ended()
            served.transport.quiet_s()
            served.transport.wait_idle(0)
        until(lambda: served.figure("calls_begun") > 100)
        is_over.set()
        served.transport.drain()
        served.transport.stop(0.2)

    together(calls, calls, watches, says)
