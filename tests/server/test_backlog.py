"""Long requests that wait to be read: in turns, within their bound, and no longer than their callers."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from google.rpc import code_pb2, status_pb2

from bothends.core.inputs import SHORT_BYTES
from bothends.server.answer_budget import AnswerBudget, Share
from bothends.server.backlog import Backlog
from tests.support.calls import HandHeldCall, context_of, only_code
from tests.support.until import TIMEOUT_S, until

LONG = SHORT_BYTES + 1


class CountingPool(ThreadPoolExecutor):
    """A pool that counts what it is handed."""

    submitted = 0

    def submit(self, act: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        self.submitted += 1
        return super().submit(act, *args, **options)


class Busy:
    """A backlog of one thread, which is kept busy until `let_go`."""

    def __init__(self, **options: Any) -> None:
        self.backlog = Backlog(pool=ThreadPoolExecutor(1), **options)
        self.read: list[str] = []
        self._goes_on = threading.Event()
        self.submit("first", size=LONG, act=self._goes_on.wait)
        until(lambda: not self.backlog.waiting_bytes)

    def submit(self, name: str, *, size: int = LONG, act: Callable[[], object] = lambda: None) -> HandHeldCall:
        """Submit what notes its name; the caller is the name's first word."""
        call = HandHeldCall(caller=name.split(maxsplit=1)[0])

        def note() -> None:
            act()
            self.read.append(name)

        self.backlog.submit(note, size, context_of(call))
        return call

    def let_go(self) -> list[str]:
        """Read on to the end, and return the names of what was read."""
        self._goes_on.set()
        done = threading.Event()
        until(lambda: not self.backlog.waiting_bytes)
        self.backlog.submit(done.set, LONG, context_of(HandHeldCall()))
        assert done.wait(TIMEOUT_S)
        return self.read[1:]


@pytest.fixture
def busy() -> Iterator[Callable[..., Busy]]:
    made: list[Busy] = []

    def make(**options: int) -> Busy:
        made.append(Busy(**options))
        return made[-1]

    yield make
    for one in made:
        one.let_go()
        one.backlog.close()


@pytest.mark.parametrize(("size", "submitted"), [(SHORT_BYTES, 0), (LONG, 1)])
def test_a_long_one_is_read_by_another_thread(size: int, submitted: int) -> None:
    """A short one is read at once: to hand it over would cost more."""
    pool, threads = CountingPool(1), list[threading.Thread]()
    backlog = Backlog(pool=pool)
    backlog.submit(lambda: threads.append(threading.current_thread()), size, context_of(HandHeldCall()))
    until(lambda: threads)
    assert pool.submitted == submitted
    assert (threads[0] is threading.current_thread()) == (not submitted)
    backlog.close()


def test_turns_are_by_caller(busy: Callable[..., Busy]) -> None:
    waiting = busy()
    for number in range(50):
        waiting.submit(f"greedy {number}")
    waiting.submit("polite")
    assert "polite" in waiting.let_go()[:2]


def test_who_leaves_is_forgotten_at_once(busy: Callable[..., Busy]) -> None:
    waiting = busy()
    stays, leaves = waiting.submit("stays"), waiting.submit("leaves", size=1 << 20)
    leaves.leave()
    assert waiting.backlog.waiting_bytes == LONG
    assert waiting.let_go() == ["stays"]
    assert stays.outcomes == []


def test_what_began_before_ends_with_it(busy: Callable[..., Busy]) -> None:
    """A message that is tried again holds a share, which its caller's leaving gives back."""
    waiting, call, begun = busy(), HandHeldCall(), Future[None]()
    waiting.backlog.submit(lambda: None, LONG, context_of(call), begun=begun)
    call.leave()
    assert begun.cancelled()


def test_full_is_told_to_whoever_has_most(busy: Callable[..., Busy]) -> None:
    """The latest of theirs is refused with RESOURCE_EXHAUSTED; a newcomer of fewer bytes is not."""
    waiting = busy(max_bytes=10 * LONG)
    greedy = [waiting.submit(f"greedy {number}") for number in range(10)]
    polite = waiting.submit("polite", size=2 * LONG)
    assert polite.outcomes == []
    assert [only_code(call) for call in greedy[8:]] == [code_pb2.RESOURCE_EXHAUSTED] * 2
    assert not any(call.outcomes for call in greedy[:8])
    late = waiting.submit("greedy 10")
    assert only_code(late) == code_pb2.RESOURCE_EXHAUSTED
    assert isinstance(status := late.outcomes[0], status_pb2.Status)
    assert any("RetryInfo" in detail.type_url for detail in status.details)
    assert len(waiting.let_go()) == 9


def test_one_larger_than_all_is_read_where_nothing_else_waits(busy: Callable[..., Busy]) -> None:
    waiting = busy(max_bytes=10 * LONG)
    waiting.submit("huge", size=20 * LONG)
    assert waiting.let_go() == ["huge"]


def test_its_end_leaves_no_thread() -> None:
    """Requests that wait are read before; later ones are read by the thread that brings them."""
    before, threads = set(threading.enumerate()), list[threading.Thread]()
    backlog = Backlog()
    submit = partial(backlog.submit, lambda: threads.append(threading.current_thread()), LONG)
    submit(context_of(HandHeldCall()))
    backlog.close()
    until(lambda: threads and not threads[0].is_alive())
    assert set(threading.enumerate()) <= before
    submit(context_of(HandHeldCall()))
    assert threads[1] is threading.current_thread()


class RoomyCall(HandHeldCall):
    """A call whose answer takes room."""

    def keep(self, answer_budget: AnswerBudget, share: Share) -> None:
        answer_budget.reserve(share)


def test_answers_that_take_room_wait_for_it() -> None:
    """Requests wait whatever their length; those that take no room, and tiny ones, go on."""
    answer_budget, read = AnswerBudget(100), list[str]()
    backlog = Backlog(pool=ThreadPoolExecutor(1), answer_budget=answer_budget)

    def submit(call: HandHeldCall, name: str, size: int) -> None:
        def note() -> None:
            context_of(call).keep(answer_budget, Share(60))
            read.append(name)

        backlog.submit(note, size, context_of(call))

    for name in ("first", "second"):
        submit(RoomyCall(), name, 300)
    assert read == ["first", "second"]
    assert answer_budget.is_full
    for name, size in (("third", 300), ("long", LONG), ("last", 300)):
        submit(RoomyCall(), name, size)
    submit(RoomyCall(), "tiny", 256)
    submit(HandHeldCall(), "no room", LONG)
    until(lambda: len(read) == 4)
    assert sorted(read[2:]) == ["no room", "tiny"]
    for _ in range(3):
        answer_budget.give_back(Share(60))
    until(lambda: "long" in read or "third" in read)
    for _ in range(3):
        answer_budget.give_back(Share(60))
    until(lambda: {"third", "long", "last"} <= set(read))
    backlog.close()


def test_who_waits_for_room_may_leave() -> None:
    answer_budget = AnswerBudget(1)
    answer_budget.reserve(Share(1))
    backlog, call = Backlog(answer_budget=answer_budget), RoomyCall()
    backlog.submit(lambda: None, 300, context_of(call))
    assert backlog.waiting_bytes == 300
    call.leave()
    assert backlog.waiting_bytes == 0
    backlog.close()


def test_room_is_full_of_bytes_or_of_tokens() -> None:
    answer_budget = AnswerBudget(100, max_tokens=10)
    for share in (Share(100), Share(1, 10)):
        answer_budget.reserve(share)
        assert answer_budget.is_full
        answer_budget.give_back(share)
        assert not answer_budget.is_full
