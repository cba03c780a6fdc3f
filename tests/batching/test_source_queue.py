"""Threads that pull from a source: each goes on whatever becomes of another, and the source gets what is submitted."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bothends.batching.request import Request, Stuck, Ticket
from bothends.batching.source_queue import SourceQueue
from bothends.engines.contract import Engine, Fault, TokenIds
from bothends.errors import DrainingError
from bothends.observe.tracing import NO_SPAN
from tests.support.clock import Clock
from tests.support.engines import TERMS, FreeEngine, rows_of
from tests.support.until import TIMEOUT_S, until


class Source:
    """A source whose threads sleep until a test wakes, holds or ends them; it computes what is submitted at once."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.has_ended = self.is_held = self.is_still = False
        self.woken = self.looked = 0
        self.raises = 0
        self.inside: set[int] = set()
        self.given_up: set[int] = set()
        self.stuck: list[Stuck] = []
        self.forgotten: list[Ticket] = []

    def pull(self, wait_s: float) -> bool | None:
        with self.changed:
            if not wait_s:
                self.looked += 1
                return True
            self.inside.add(threading.get_ident())
            self.changed.wait_for(lambda: not self.is_held and (self.has_ended or self.woken or self.raises), wait_s)
            self.inside.discard(threading.get_ident())
            if threading.get_ident() in self.given_up:
                return None
            if self.raises:
                self.raises -= 1
                raise LookupError("a secret")
            self.woken = max(0, self.woken - 1)
            return not self.has_ended

    def submit(self, request: Request, sentences: Sequence[TokenIds], ticket: Ticket) -> None:
        request.settle(rows_of(sentences))

    def forget(self, request: Request, ticket: Ticket) -> None:
        self.forgotten.append(ticket)

    def stands_still(self) -> bool:
        return self.is_still

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[Stuck]:
        stuck, self.stuck = self.stuck, []
        self.given_up |= {each.thread for each in stuck}
        return stuck

    def wake(self) -> None:
        self.change(woken=self.woken + 1)

    def change(self, **changes: Any) -> None:
        with self.changed:
            vars(self).update(changes)
            self.changed.notify_all()


class OneTicket:
    """The place of a call."""

    id = 7

    def take_spent(self) -> float:
        return 0.0


Pulled = tuple[SourceQueue, Source]


@pytest.fixture
def pulled(clock: Clock) -> Iterator[Pulled]:
    """Two threads that pull from a source."""
    queue, source = SourceQueue(workers=1, spare=1, engine_timeout_s=8.0, clock=clock), Source()
    queue.pull_from(source)
    until(lambda: len(source.inside) == 2)
    yield queue, source
    source.change(is_held=False, has_ended=True)
    assert queue.close(timeout_s=TIMEOUT_S)


def submitted(queue: SourceQueue, sentences: Sequence[TokenIds], ticket: Ticket | None) -> Request:
    return queue.submit(sentences, engine=FreeEngine(), terms=TERMS, span=NO_SPAN, ticket=ticket)


def test_the_source_computes_what_is_submitted(pulled: Pulled) -> None:
    """In the turn of the call that it was for; an empty list needs no turn."""
    queue, _ = pulled
    assert submitted(queue, [[1, 2]], OneTicket()).result(TIMEOUT_S).tolist() == [[3, 2]]
    assert submitted(queue, [], OneTicket()).result(0).shape == (0, 2)
    assert queue.queued == (0, 0, 0)
    with pytest.raises(ValueError, match="only calls of the source"):
        submitted(queue, [[1]], None)


def test_the_source_forgets_what_is_cancelled(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    queue, source = pulled
    monkeypatch.setattr(source, "submit", lambda *_: None)
    ticket = OneTicket()
    assert submitted(queue, [[1]], ticket).cancel()
    assert source.forgotten == [ticket]


def test_a_source_that_raises_costs_no_thread(pulled: Pulled, caplog: pytest.LogCaptureFixture) -> None:
    """A bug in a pull is told without a word of what it was about, and every thread pulls again."""
    _, source = pulled
    source.change(raises=5)
    until(lambda: source.raises == 0 and len(source.inside) == 2)
    assert "unforeseen error: LookupError" in caplog.text
    assert "secret" not in caplog.text


def test_a_thread_that_is_given_up_is_replaced(pulled: Pulled) -> None:
    """Another is there before it comes back; the fault is told."""
    queue, source = pulled
    faults: list[tuple[Fault, Engine]] = []
    engine, terms = FreeEngine(), replace(TERMS, on_fault=lambda *fault: faults.append(fault))
    source.change(is_held=True)
    hangs, goes_on = sorted(source.inside)
    source.change(stuck=[Stuck(hangs, engine, terms)])
    queue.abandon_overdue()
    until(lambda: len(source.inside) == 3)
    assert faults == [("hung", engine)]
    source.change(is_held=False, woken=1)
    until(lambda: len(source.inside) == 2 and hangs not in source.inside)
    assert goes_on in source.inside


def test_a_spare_thread_looks_where_all_are_kept(pulled: Pulled) -> None:
    """Whoever needs no model is answered though every run hangs; as long as some thread comes back it does nothing."""
    _, source = pulled
    assert source.looked == 0
    source.change(is_held=True, is_still=True)
    until(lambda: source.looked >= 2)


def test_each_thread_does_once_what_is_asked(pulled: Pulled) -> None:
    """Those that sleep in the source are woken for it."""
    queue, source = pulled
    did: list[int] = []
    assert queue.in_each_thread(lambda: did.append(threading.get_ident()), timeout_s=TIMEOUT_S)
    assert len(set(did)) == len(did) == 2
    until(lambda: set(did) == source.inside)


def test_nothing_is_taken_in_before_there_is_a_source_or_after_its_end(clock: Clock) -> None:
    queue, source = SourceQueue(workers=2, engine_timeout_s=8.0, clock=clock), Source()
    with pytest.raises(DrainingError):
        submitted(queue, [[1]], OneTicket())
    queue.pull_from(source)
    assert submitted(queue, [[1]], OneTicket()).result(TIMEOUT_S).tolist() == [[1, 1]]
    source.change(has_ended=True)

    def is_refused() -> bool:
        try:
            submitted(queue, [[1]], OneTicket())
        except DrainingError:
            return True
        return False

    until(is_refused)
    assert queue.close(timeout_s=TIMEOUT_S)
