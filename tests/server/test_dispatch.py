"""Calls on their way to a method: refused or let in, counted once, out of the gate once."""

import hashlib
import time
from pathlib import Path

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
from bothends.observe.tracing import NO_SPAN
from bothends.server.context import CallContext
from bothends.server.dispatch import Dispatcher, protobuf
from bothends.server.keys import Keys
from bothends.server.quota import KeyAccount, Quota
from bothends.v1 import embedding_pb2
from tests.support.calls import CallHarness, HandHeldCall, only_code


def test_an_answer_is_counted_and_lets_the_next_one_in() -> None:
    harness = CallHarness(lambda request, context: context.send(b"vectors"))
    assert [harness.call().outcomes for _ in range(3)] == [[b"vectors"]] * 3
    assert harness.counted() == {"OK": 3}
    assert harness.is_empty()


class MiscountingMetrics(Metrics):
    """Metrics with a bug."""

    def answered(self, *arguments: object, **options: object) -> None:
        raise KeyError("a code that nobody foresaw")


def test_a_call_that_cannot_be_counted_keeps_no_place(caplog: pytest.LogCaptureFixture) -> None:
    """The caller is answered, the next one is let in, and the log says where the bug is."""
    harness = CallHarness(lambda request, context: context.send(b"vectors"), metrics=MiscountingMetrics())
    assert [harness.call().outcomes for _ in range(3)] == [[b"vectors"]] * 3
    assert "KeyError at" in caplog.text
    assert harness.is_empty()


def test_what_a_method_raises_is_its_answer() -> None:
    def refuse(request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        raise RequestError("there are no sentences")

    harness = CallHarness(refuse)
    assert only_code(harness.call()) == code_pb2.INVALID_ARGUMENT
    assert harness.counted() == {"INVALID_ARGUMENT": 1}
    assert harness.is_empty()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SentenceError(0, "is empty"), "invalid"),
        (OverloadedError("the queue is full", retry_after_s=1), "full"),
        (QuotaError("the key has had its share", retry_after_s=1), "quota"),
        (DrainingError("the server is stopping"), "draining"),
        (DeadlineError("the deadline would pass"), "deadline"),
        (EngineError("the model run failed"), None),
    ],
)
def test_a_refusal_is_counted_by_its_reason(error: BothendsError, reason: str | None) -> None:
    """A request that was served, and failed, was not refused; nor was one that succeeded."""

    def refuse(request: embedding_pb2.EmbedRequest, context: CallContext) -> None:
        raise error

    harness = CallHarness(refuse)
    harness.call()
    assert harness.counted("bothends_refused_requests_total", "reason") == ({reason: 1} if reason else {})
    assert sum(harness.counted("bothends_over_quota_requests_total", "method").values()) == (reason == "quota")


def test_bytes_that_are_no_request_reach_no_method() -> None:
    harness = CallHarness(lambda request, context: context.send(b""))
    assert only_code(harness.call(b"\xff\xff")) == code_pb2.INVALID_ARGUMENT
    assert harness.is_empty()


def test_a_full_room_refuses_and_stays_full() -> None:
    """A call that is refused takes no place out with it."""
    answers: list[CallContext] = []
    harness = CallHarness(lambda request, context: answers.append(context))
    harness.call()
    assert [only_code(harness.call()) for _ in range(3)] == [code_pb2.RESOURCE_EXHAUSTED] * 3
    with pytest.raises(OverloadedError):
        harness.concurrency.enter()
    answers[0].send(b"")
    harness.call()
    assert len(answers) == 2
    assert harness.counted() == {"OK": 1, "RESOURCE_EXHAUSTED": 3}


def test_a_call_that_is_refused_is_not_read() -> None:
    """Full, or late already: the request's bytes stay where they are."""
    harness = CallHarness(lambda request, context: None)
    harness.call()
    full, late = harness.call(), harness.call(deadline=time.monotonic())
    assert (only_code(full), only_code(late)) == (code_pb2.RESOURCE_EXHAUSTED, code_pb2.DEADLINE_EXCEEDED)
    assert not full.was_read
    assert not late.was_read


def test_a_call_that_would_wait_too_much_of_its_time_is_refused() -> None:
    """The call is unread, takes no place, and learns when to come again."""
    harness = CallHarness(lambda request, context: context.send(b""))
    harness.wait_s = 30.0
    late = HandHeldCall(deadline=time.monotonic() + 100)
    harness.handle(late)  # type: ignore[arg-type]
    assert only_code(late) == code_pb2.RESOURCE_EXHAUSTED
    assert not late.was_read
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in late.outcomes[0].details)  # type: ignore[union-attr]
    assert retry.retry_delay.seconds == 30
    assert harness.is_empty()


def test_a_call_without_a_request_is_the_callers_error() -> None:
    harness = CallHarness(lambda request, context: context.send(b""))
    call = harness.call(None)
    assert only_code(call) == code_pb2.INVALID_ARGUMENT
    assert named_fields(call) == ["request"]
    assert harness.is_empty()


def named_fields(call: HandHeldCall) -> list[str]:
    """Fields that the call's status blames."""
    (status,) = call.outcomes
    assert isinstance(status, status_pb2.Status)
    found = error_details_pb2.BadRequest()
    assert any(detail.Unpack(found) for detail in status.details)
    return [violation.field for violation in found.field_violations]


def test_a_call_is_its_keys(tmp_path: Path) -> None:
    """What the transport knows of its key is enough: the key itself doesn't come this far."""
    file = tmp_path / "keys.toml"
    file.write_text(f'[keys.one]\nsha256 = "{hashlib.sha256(b"1").hexdigest()}"\n')
    dispatcher = Dispatcher(Metrics(), None, lambda: 0.0, Keys(file))
    call = HandHeldCall(key=hashlib.sha256(b"1").digest())
    account = dispatcher.identify(call)  # type: ignore[arg-type]
    assert account is not None
    assert account.name == "one"


@pytest.mark.parametrize(("content", "answer"), [(b"asked", b"asked"), (b"", b""), (None, b"")])
def test_an_open_method_answers_at_once(content: bytes | None, answer: bytes) -> None:
    """A call whose caller sends no request has an empty one."""
    call = HandHeldCall(content)
    Dispatcher(Metrics(), None, lambda: 0.0).open_handler(bytes)(call)  # type: ignore[arg-type]
    assert call.outcomes == [answer]


def test_far_too_many_sentences_are_refused_unread_and_paid_for() -> None:
    """No object is made of a request that holds twice as many as it may, or more; its key pays for a whole one."""
    account = KeyAccount("flooding", Quota(sentences_per_s=10), clock=lambda: 0.0)
    parse = protobuf(embedding_pb2.EmbedRequest, max_sentences=100)
    call = HandHeldCall()
    context = CallContext(call, lambda code, refused: None, NO_SPAN, account)  # type: ignore[arg-type]
    assert len(parse(b"\x0a\x00" * 200).sentences) == 200
    with context.guarding():
        parse(b"\x0a\x00" * 201)
    assert only_code(call) == code_pb2.INVALID_ARGUMENT
    assert isinstance(status := call.outcomes[0], status_pb2.Status)
    assert status.message == "more than 200 sentences came; this server's limit is 100 a request"
    with pytest.raises(QuotaError, match="10 sentences a second"):
        account.check()
