"""One call's context: settled once, whatever happens to the call and in what order."""

import logging
import threading
import time
from concurrent.futures import Future

import pytest
from google.rpc import code_pb2

from bothends.errors import (
    BothendsError,
    DrainingError,
    EngineError,
    OverloadedError,
    QuotaError,
    RequestError,
    SentenceError,
)
from bothends.observe.tracing import NO_SPAN
from bothends.server.context import CallContext
from bothends.server.quota import KeyAccount, Quota
from bothends.v1 import embedding_pb2
from tests.support.calls import CallHarness, HandHeldCall, context_of, only_code
from tests.support.until import TIMEOUT_S


def test_a_bug_is_told_and_logged_without_the_callers_words(caplog: pytest.LogCaptureFixture) -> None:
    def stumble(request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        raise KeyError("my secret sentence")

    harness = CallHarness(stumble)
    call = harness.call()
    assert only_code(call) == code_pb2.INTERNAL
    assert "KeyError at" in caplog.text
    assert "secret" not in caplog.text + str(call.outcomes)
    assert harness.is_empty()


@pytest.mark.parametrize(
    ("deadline_in_s", "arrived_s_ago", "code"),
    [
        (None, 0, "CANCELLED"),
        (60, 0, "CANCELLED"),
        (0, 0, "DEADLINE_EXCEEDED"),
        (50, 2000, "CANCELLED"),
        (15, 2000, "DEADLINE_EXCEEDED"),
    ],
    ids=["without a deadline", "long before", "after", "before", "as clients round"],
)
def test_a_caller_that_leaves_takes_the_work_along(
    deadline_in_s: float | None, arrived_s_ago: float, code: str
) -> None:
    """The work is cancelled, the place is free, and an answer that still comes is dropped."""
    work: Future[None] = Future()
    answers: list[CallContext] = []

    def begin(request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        answers.append(context)
        context.cancels(work)

    harness = CallHarness(begin)
    call = harness.call(deadline=None if deadline_in_s is None else time.monotonic() + 60)
    if deadline_in_s is not None:
        call.deadline = time.monotonic() + deadline_in_s
    call.arrived -= arrived_s_ago
    call.leave()
    assert work.cancelled()
    answers[0].send(b"too late")
    answers[0].fail(RequestError("too late"))
    assert call.outcomes == []
    assert harness.counted() == {code: 1}
    assert harness.is_empty()


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
    """The sentences aren't in progress any more, whichever error it was."""
    account = KeyAccount("a", Quota(sentences_per_s=1), clock=lambda: 0.0)
    context = CallContext(HandHeldCall(), lambda code, refused: None, NO_SPAN, account)  # type: ignore[arg-type]
    context.charge(10)
    context.fail(error)
    assert account.in_progress == 0
    if costs:
        with pytest.raises(QuotaError):
            account.take_share(1)
    else:
        account.take_share(1)


def test_a_caller_that_has_left_is_not_charged() -> None:
    account = KeyAccount("a", Quota())
    call = HandHeldCall()
    context = CallContext(call, lambda code, refused: None, NO_SPAN, account)  # type: ignore[arg-type]
    call.leave()
    context.charge(10)
    assert account.in_progress == 0


def test_work_that_begins_after_the_caller_left_is_cancelled_at_once() -> None:
    answers: list[CallContext] = []
    harness = CallHarness(lambda request, context: answers.append(context))
    harness.call().leave()
    work: Future[None] = Future()
    answers[0].cancels(work)
    assert work.cancelled()


def test_work_that_begins_while_the_caller_leaves_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread has just begun the rows of what it has read: they would be computed for nobody."""
    read: Future[None] = Future()
    rows: Future[None] = Future()
    call = HandHeldCall()
    context = context_of(call)
    context.cancels(read)

    def beginning(deadline: float | None, arrived: float) -> int:
        context.cancels(rows)
        return int(code_pb2.CANCELLED)

    monkeypatch.setattr("bothends.server.context.code_of_leaving", beginning)
    call.leave()
    assert rows.cancelled()


def test_work_that_begins_while_the_call_fails_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """See above: it isn't the caller alone who ends a call."""
    rows: Future[None] = Future()
    context = context_of(HandHeldCall())

    class FailingError(BothendsError):
        """An error that is told while the rows begin."""

        @property
        def refusal(self) -> None:  # type: ignore[override]
            if not rows.cancelled():
                context.cancels(rows)

    context.fail(FailingError("it fails"))
    assert rows.cancelled()


def test_of_many_that_settle_at_once_one_does(caplog: pytest.LogCaptureFixture) -> None:
    """Answer, error and departure race on threads: one outcome at most, one count, one place."""
    caplog.set_level(logging.ERROR)
    answers: list[CallContext] = []
    harness = CallHarness(lambda request, context: answers.append(context))
    for _ in range(200):
        call = harness.call()
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
    assert sum(harness.counted().values()) == 200
    assert harness.is_empty()


def test_nobody_waits_for_a_call_that_is_settled() -> None:
    """The deadline is past then, whatever it was: work that waits for the caller's sake is dropped at its turn."""
    found: list[float | None] = []
    for deadline in (None, time.monotonic() + 60):
        contexts: list[CallContext] = []
        call = CallHarness(lambda request, context, to=contexts: to.append(context)).call(deadline=deadline)  # type: ignore[misc]
        found.append(contexts[0].deadline)
        call.leave()
        assert contexts[0].deadline is not None
        assert contexts[0].deadline < time.monotonic()
    assert found[0] is None
    assert found[1] is not None
