"""What surrounds a call: counted once, out of the gate once, whatever happens to it and in what order."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from bothends.errors import (
    BothendsError,
    DeadlineError,
    DrainingError,
    EngineError,
    OverloadedError,
    QuotaError,
    RequestError,
    SentenceError,
)
from bothends.observe.metrics import Metrics
from bothends.observe.tracing import NO_SPAN, Method
from bothends.server.context import CallContext
from bothends.server.dispatch import Dispatcher, protobuf
from bothends.server.gate import Gate
from bothends.server.quota import Account, Quota
from bothends.v1 import embedding_pb2
from bothends.wire.messages import SERVICE
from tests.support.calls import HandHeldCall

TIMEOUT_S = 10


class Room:
    """A dispatcher with one method, and what came of a call."""

    def __init__(
        self,
        behaviour: Callable[[embedding_pb2.EmbedRequest, CallContext], None],
        limit: int = 1,
        *,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self.gate = Gate(limit=limit)
        self.wait_s = 0.0
        dispatcher = Dispatcher(self.metrics, self.gate, lambda: self.wait_s)
        self.handle = dispatcher.handler(Method.rpc(SERVICE, "Embed"), protobuf(embedding_pb2.EmbedRequest), behaviour)

    def call(self, content: bytes | None = b"", deadline: float | None = None) -> HandHeldCall:
        call = HandHeldCall(content, deadline=deadline)
        self.handle(call)  # type: ignore[arg-type]
        return call

    def counted(self, name: str = "bothends_requests_total", label: str = "code") -> dict[str, float]:
        """Calls by code, or by another counter's label: those that were counted at all."""
        samples = self.metrics.registry.collect()
        found = [s for metric in samples for s in metric.samples if s.name == name]
        return {sample.labels[label]: sample.value for sample in found if sample.value}

    def is_empty(self) -> bool:
        return self.gate.close(timeout_s=0)


def only_code(call: HandHeldCall) -> int:
    (status,) = call.outcomes
    assert isinstance(status, status_pb2.Status)
    return status.code


def test_an_answer_is_counted_and_lets_the_next_one_in() -> None:
    room = Room(lambda request, context: context.send(b"vectors"))
    assert [room.call().outcomes for _ in range(3)] == [[b"vectors"]] * 3
    assert room.counted() == {"OK": 3}
    assert room.is_empty()


class MiscountingMetrics(Metrics):
    """Metrics with a bug."""

    def answered(self, *arguments: object, **options: object) -> None:
        raise KeyError("a code that nobody foresaw")


def test_a_call_that_cannot_be_counted_keeps_no_place(caplog: pytest.LogCaptureFixture) -> None:
    """The caller is answered, the next one is let in, and the log says where the bug is."""
    room = Room(lambda request, context: context.send(b"vectors"), metrics=MiscountingMetrics())
    assert [room.call().outcomes for _ in range(3)] == [[b"vectors"]] * 3
    assert "KeyError at" in caplog.text
    assert room.is_empty()


def test_a_method_is_counted_from_the_start() -> None:
    """Its series are there, at zero, as soon as it has a handler: a rate would miss a first error."""
    room = Room(lambda request, context: None)
    for code in ("OK", "INTERNAL"):
        labels = {"method": "Embed", "code": code}
        assert room.metrics.registry.get_sample_value("bothends_requests_total", labels) == 0
    assert room.metrics.registry.get_sample_value("bothends_request_seconds_count", {"method": "Embed"}) == 0


def test_what_a_method_raises_is_its_answer() -> None:
    def refuse(request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        raise RequestError("there are no sentences")

    room = Room(refuse)
    assert only_code(room.call()) == code_pb2.INVALID_ARGUMENT
    assert room.counted() == {"INVALID_ARGUMENT": 1}
    assert room.is_empty()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SentenceError(0, "is empty"), "invalid"),
        (OverloadedError("the queue is full", retry_after_s=1), "full"),
        (DrainingError("the server is stopping"), "draining"),
        (DeadlineError("the deadline would pass"), "deadline"),
        (EngineError("the model run failed"), None),
    ],
)
def test_a_refusal_is_counted_by_its_reason(error: BothendsError, reason: str | None) -> None:
    """A request that was served, and failed, was not refused; nor was one that succeeded."""

    def refuse(request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        raise error

    room = Room(refuse)
    room.call()
    assert room.counted("bothends_refused_requests_total", "reason") == ({reason: 1} if reason else {})


def test_a_refusal_at_the_door_is_counted_too() -> None:
    """Before the request is read, for want of time or of room."""
    room = Room(lambda request, context: None)
    room.call(deadline=time.monotonic() - 1)
    room.call()
    room.call()
    assert room.counted("bothends_refused_requests_total", "reason") == {"deadline": 1, "full": 1}


def test_a_bug_is_told_and_logged_without_the_callers_words(caplog: pytest.LogCaptureFixture) -> None:
    def stumble(request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        raise KeyError("my secret sentence")

    room = Room(stumble)
    call = room.call()
    assert only_code(call) == code_pb2.INTERNAL
    assert "KeyError at" in caplog.text
    assert "secret" not in caplog.text + str(call.outcomes)
    assert room.is_empty()


def test_bytes_that_are_no_request_reach_no_method() -> None:
    room = Room(lambda request, context: context.send(b""))
    assert only_code(room.call(b"\xff\xff")) == code_pb2.INVALID_ARGUMENT
    assert room.is_empty()


def test_a_full_room_refuses_and_stays_full() -> None:
    """Who is refused doesn't take a place out with him."""
    answers: list[CallContext] = []
    room = Room(lambda request, context: answers.append(context))
    room.call()
    assert [only_code(room.call()) for _ in range(3)] == [code_pb2.RESOURCE_EXHAUSTED] * 3
    with pytest.raises(OverloadedError):
        room.gate.enter()
    answers[0].send(b"")
    room.call()
    assert len(answers) == 2
    assert room.counted() == {"OK": 1, "RESOURCE_EXHAUSTED": 3}


def test_who_is_refused_is_not_read() -> None:
    """Full, or late already: the request's bytes stay where they are."""
    room = Room(lambda request, context: None)
    room.call()
    full, late = room.call(), room.call(deadline=time.monotonic())
    assert (only_code(full), only_code(late)) == (code_pb2.RESOURCE_EXHAUSTED, code_pb2.DEADLINE_EXCEEDED)
    assert not full.was_read
    assert not late.was_read


@pytest.mark.parametrize(("lag_s", "wait_s"), [(30.0, 0.0), (0.0, 30.0), (15.0, 15.0)])
def test_who_would_wait_too_much_of_his_time_is_refused(lag_s: float, wait_s: float) -> None:
    """In line or for the engine; unread, without taking a place, and told when to come again."""
    room = Room(lambda request, context: context.send(b""))
    room.wait_s = wait_s
    late = HandHeldCall(lag_s=lag_s, deadline=time.monotonic() + 100)
    room.handle(late)  # type: ignore[arg-type]
    assert only_code(late) == code_pb2.RESOURCE_EXHAUSTED
    assert not late.was_read
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in late.outcomes[0].details)  # type: ignore[union-attr]
    assert retry.retry_delay.seconds == 30
    assert room.is_empty()


@pytest.mark.parametrize("deadline_in_s", [None, 1000])
def test_who_has_time_may_wait(deadline_in_s: float | None) -> None:
    """The same wait is a small share of a long deadline, and none of no deadline."""
    room = Room(lambda request, context: context.send(b""))
    call = HandHeldCall(lag_s=30.0, deadline=None if deadline_in_s is None else time.monotonic() + deadline_in_s)
    room.handle(call)  # type: ignore[arg-type]
    assert call.outcomes == [b""]


def test_a_call_without_a_request_is_the_callers_error() -> None:
    room = Room(lambda request, context: context.send(b""))
    assert only_code(room.call(None)) == code_pb2.INVALID_ARGUMENT
    assert room.is_empty()


def test_a_closed_room_says_that_it_is_stopping() -> None:
    room = Room(lambda request, context: context.send(b""))
    room.gate.close(timeout_s=0)
    assert only_code(room.call()) == code_pb2.UNAVAILABLE
    with pytest.raises(DrainingError):
        room.gate.enter()


@pytest.mark.parametrize(
    ("deadline_in_s", "code"), [(None, "CANCELLED"), (60, "CANCELLED"), (0.05, "DEADLINE_EXCEEDED")]
)
def test_who_leaves_takes_the_work_along(deadline_in_s: float | None, code: str) -> None:
    """The work is cancelled, the place is free, and an answer that still comes is dropped."""
    work: Future[None] = Future()
    answers: list[CallContext] = []

    def begin(request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        answers.append(context)
        context.cancels(work)

    room = Room(begin)
    call = room.call(deadline=None if deadline_in_s is None else time.monotonic() + deadline_in_s)
    while code == "DEADLINE_EXCEEDED" and call.deadline > time.monotonic():
        pass
    call.leave()
    assert work.cancelled()
    answers[0].send(b"too late")
    answers[0].fail(RequestError("too late"))
    assert call.outcomes == []
    assert room.counted() == {code: 1}
    assert room.is_empty()


@pytest.mark.parametrize(
    ("error", "costs"),
    [
        (OverloadedError("the queue is full", retry_after_s=1), False),
        (DrainingError("the server is stopping"), False),
        (SentenceError(0, "is empty"), True),
        (EngineError("the model run failed"), True),
    ],
)
def test_what_the_server_refused_takes_nothing_of_a_share(error: BothendsError, costs: bool) -> None:
    """And nothing is in progress any more, whichever."""
    account = Account("a", Quota(sentences_per_s=1), clock=lambda: 0.0)
    context = CallContext(HandHeldCall(), lambda code, refused: None, NO_SPAN, account)  # type: ignore[arg-type]
    context.charge(10)
    context.fail(error)
    assert account.in_progress == 0
    if costs:
        with pytest.raises(QuotaError):
            account.take(1)
    else:
        account.take(1)


def test_who_has_left_is_not_charged() -> None:
    account = Account("a", Quota())
    call = HandHeldCall()
    context = CallContext(call, lambda code, refused: None, NO_SPAN, account)  # type: ignore[arg-type]
    call.leave()
    context.charge(10)
    assert account.in_progress == 0


def test_work_that_begins_after_the_caller_left_is_cancelled_at_once() -> None:
    answers: list[CallContext] = []
    room = Room(lambda request, context: answers.append(context))
    room.call().leave()
    work: Future[None] = Future()
    answers[0].cancels(work)
    assert work.cancelled()


def test_a_caller_that_leaves_after_the_answer_changes_nothing() -> None:
    room = Room(lambda request, context: context.send(b"vectors"))
    call = room.call()
    call.leave()
    assert call.outcomes == [b"vectors"]
    assert room.counted() == {"OK": 1}


def test_of_many_that_settle_at_once_one_does(caplog: pytest.LogCaptureFixture) -> None:
    """Answer, error and departure race on threads: one outcome at most, one count, one place."""
    caplog.set_level(logging.ERROR)
    answers: list[CallContext] = []
    room = Room(lambda request, context: answers.append(context))
    for _ in range(200):
        call = room.call()
        context, start = answers.pop(), threading.Barrier(3)
        threads = [
            threading.Thread(target=lambda act=act, start=start: (start.wait(TIMEOUT_S), act()))
            for act in (
                lambda a=context: a.send(b""),
                lambda a=context: a.fail(RequestError("no")),
                call.leave,
            )
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_S)
        assert len(call.outcomes) <= 1
    assert sum(room.counted().values()) == 200
    assert room.is_empty()
