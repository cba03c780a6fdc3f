"""How long requests end that are served in slices: answered, left, late, or by another model."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from bothends_native import transport

from tests.support.until import TIMEOUT_S, gathered, until

from .fast import embed_codec, encoder_of, path_of
from .long import LIMITS, MOST, Long, call, checked, long, request_of, sentences_of
from .raw import ECHO, Raw, framed
from .served import Served
from .test_called_encoder import Called

__all__ = ("call", "long")


def test_a_caller_that_leaves_frees_its_slices_at_once(long: Long, call: Any) -> None:
    future = long.begin(call, request_of(*["a b"] * MOST), steps=2)
    assert long.served.figure("making_bytes") > 0
    future.cancel()
    until(lambda: long.step() == [] and not any(long.served.figure(name) for name in ("waiting", "taken", "calls")))
    assert long.served.figure("making_bytes") == 0
    assert sum(long.computed) < MOST
    assert long.served.count()[-1:] == [(0, 1, "")]


def test_a_deadline_ends_a_list_in_the_middle(long: Long) -> None:
    """Or before it is begun, where the machine is busy: nothing of it is left either way."""
    with Raw(long.served.port) as raw:
        late = raw.call(ECHO, framed(request_of(*["a b"] * MOST)), headers=[("grpc-timeout", "500m")])
        until(lambda: long.served.figure("slots") == 1 or raw.read() or late.is_over)
        for _ in range(3):  # the first reads it
            assert long.step() == []
        raw.over(late)
    assert late.status == "4"
    long.served.let_go()
    assert long.served.figure("making_bytes") == 0
    assert long.step() == []
    assert long.served.count() == [(0, 4, "")]


def test_no_answer_is_of_two_models(long: Long, call: Any) -> None:
    """The one that takes over begins anew."""
    sentences = sentences_of(3, MOST)
    future = long.begin(call, request_of(*sentences), steps=3)
    encoder = encoder_of(seed=2)
    newer = path_of(long.served, encoder, codec=embed_codec("8"), **LIMITS)
    checked(long.answers(future, newer), encoder, sentences, version="8")


def test_a_model_that_was_stopped_in_the_middle_leaves_all_to_python(long: Long, call: Any) -> None:
    content = request_of(*["a b"] * MOST)
    future = long.begin(call, content, steps=2)
    long.encoder.stop()
    found: list[transport.Message] = []
    until(lambda: gathered(found, long.step(most=1)))
    assert [message.content for message in found] == [content]
    long.served.transport.answer([found[0].id], [b"python"])
    assert future.result() == b"python"
    assert long.served.figure("making_bytes") == 0


def test_python_takes_a_list_in_the_middle_where_no_path_serves(long: Long, call: Any) -> None:
    content = request_of(*["a b"] * MOST)
    future = long.begin(call, content, steps=2)
    batch = long.served.transport.take_messages(9, 0.0)
    assert batch is not None
    assert [message.content for message in batch.messages] == [content]
    long.served.transport.answer([batch.messages[0].id], [b"python"])
    assert future.result() == b"python"


def test_rows_in_the_making_are_bounded(serve: Callable[..., Served]) -> None:
    """No list is begun while others' rows take too much; single sentences are served meanwhile."""
    long = Long(serve(making_bytes=1))
    with long.served.channel() as channel, long.served.channel() as another, long.served.channel() as third:
        first = long.begin(channel.unary_unary(ECHO), request_of(*["a b"] * MOST), steps=1)
        made = long.served.figure("making_bytes")
        second = another.unary_unary(ECHO).future(request_of(*["b a"] * MOST), timeout=TIMEOUT_S)
        long.waits(2)
        single = third.unary_unary(ECHO).future(request_of("man"), timeout=TIMEOUT_S)
        long.waits(3)

        def is_served() -> bool:
            assert long.served.figure("making_bytes") != made or not second.done()
            return long.step() == [] and single.done()

        until(is_served)
        checked(bytes(single.result()), long.encoder, ["man"])
        while long.step() == [] and long.served.figure("making_bytes") == made:
            assert not second.done()
        checked(bytes(first.result()), long.encoder, ["a b"] * MOST)
        checked(long.answers(second), long.encoder, ["b a"] * MOST)
    long.served.let_go()


def test_a_run_that_is_given_up_tells_its_caller_once(long: Long) -> None:
    """However many threads were at slices of the list."""
    stop, given_up, codes = threading.Event(), list[int](), list[grpc.StatusCode]()

    def serve() -> None:
        while (taken := long.path.take_messages(0, 0.1, 0, threading.get_ident())) is not None:
            if stop.is_set() and not taken.is_given_up:
                return

    def give_up() -> None:
        while not stop.is_set():
            for run in long.path.overdue(0.0):
                given_up.extend(run.long_messages)
                long.served.transport.fail(run.long_messages, [(13, "it hung", b"")] * len(run.long_messages))

    threads = [threading.Thread(target=act) for act in (serve, serve, give_up)]
    for thread in threads:
        thread.start()
    with long.served.channel() as channel:
        ask, content = channel.unary_unary(ECHO).future, request_of(*["b b b b b"] * MOST)
        until(lambda: gathered(codes, [ask(content, timeout=TIMEOUT_S).code()]) and given_up)
    stop.set()
    for thread in threads:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
    assert len(given_up) == len(set(given_up)) == codes.count(grpc.StatusCode.INTERNAL)
    assert long.served.figure("making_bytes") == 0


class InRuns:
    """A path whose runs begin, and end when they are told to; each is a slice, by a thread of its own."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.begun, self.goes_on = threading.Semaphore(0), threading.Event()
        called = Called()
        called.answers = self._wait
        self.path = path_of(served, called, **LIMITS)
        self._threads: list[threading.Thread] = []

    def begin(self, call: Any, *, runs: int) -> Any:
        """Ask for a list, have it read, and begin so many runs of it."""
        future = call.future(request_of(*["a b"] * MOST), timeout=TIMEOUT_S)
        until(lambda: self.served.figure("waiting") == 1)
        assert self.path.take_messages(0, 0.0, 0, 0) is not None
        for number in range(runs):
            self._threads.append(threading.Thread(target=self.path.take_messages, args=(0, 0.0, 0, 1 + number)))
            self._threads[-1].start()
            assert self.begun.acquire(timeout=TIMEOUT_S)
        return future

    def end(self) -> None:
        self.goes_on.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()

    def _wait(self, _: object) -> bool:
        self.begun.release()
        return self.goes_on.wait(TIMEOUT_S)


@pytest.fixture
def in_runs(serve: Callable[..., Served]) -> Iterator[InRuns]:
    made = InRuns(serve())
    yield made
    made.end()
    made.served.let_go()


def test_a_list_in_two_runs_that_are_given_up_is_told_of_once(in_runs: InRuns) -> None:
    with in_runs.served.channel() as channel:
        future = in_runs.begin(channel.unary_unary(ECHO), runs=2)
        given_up = in_runs.path.overdue(0.0)
        assert [run.thread for run in given_up] == [1, 2]
        (told,) = [message for run in given_up for message in run.long_messages]
        in_runs.served.transport.fail([told], [(13, "it hung", b"")])
        assert future.code() is grpc.StatusCode.INTERNAL


def test_nobody_is_told_of_a_run_whose_list_was_left(in_runs: InRuns) -> None:
    """Its caller has gone by then: there is nobody to answer, and nothing to count."""
    with in_runs.served.channel() as channel:
        future = in_runs.begin(channel.unary_unary(ECHO), runs=1)
        future.cancel()
        until(lambda: in_runs.served.figure("calls") == 0)
        assert [(run.thread, run.long_messages) for run in in_runs.path.overdue(0.0)] == [(1, [])]


def test_a_draining_server_finishes_a_list(long: Long, call: Any) -> None:
    sentences = sentences_of(1, MOST)
    future = long.begin(call, request_of(*sentences), steps=2)
    long.served.transport.drain()
    checked(long.answers(future), long.encoder, sentences)
    assert long.served.transport.wait_idle(TIMEOUT_S)
