"""Messages of a transport are handed to handlers: what is counted, who is told, and what one that fails costs."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.rpc import code_pb2, status_pb2

from bothends.observe.metrics import Metrics
from bothends.server.grpc.calls.source import Calls, Handler, Route
from bothends.server.grpc.contract import Method, Reason, Status
from bothends.server.grpc.grpcio.message_queue import GrpcioBatch, GrpcioEnded, GrpcioMessage
from bothends.server.grpc.plain_calls import GivenUpError
from bothends.server.inbound import Inbound
from tests.support.until import TIMEOUT_S


class HandHeldTransport:
    """A transport whose messages the test gives."""

    def __init__(self) -> None:
        self.coming: list[GrpcioMessage] = []
        self.over: list[int] = []
        self.has_stopped = False
        self.calls_that_ended: list[GrpcioEnded] = []
        self.answered: list[tuple[Sequence[int], Sequence[bytes]]] = []
        self.failed: list[tuple[Sequence[int], Sequence[Status]]] = []
        self.charged: list[tuple[int, float]] = []

    def take_messages(self, max_messages: int, wait_s: float, max_bytes: int) -> GrpcioBatch | None:
        if self.has_stopped:
            return None
        taken, self.coming = self.coming[:max_messages], self.coming[max_messages:]
        over, self.over = self.over, []
        return GrpcioBatch(taken, over)

    def wake(self) -> None:
        """Do nothing: nobody sleeps here."""

    hand_over_polling = wake

    def charge(self, id: int, seconds: float) -> None:  # noqa: A002  the contract's name
        self.charged.append((id, seconds))

    def answer(self, ids: Sequence[int], contents: Sequence[bytes], spent: Sequence[float] = ()) -> None:
        self.charged += zip(ids, spent, strict=True)
        self.answered.append((ids, contents))

    def fail(self, ids: Sequence[int], statuses: Sequence[Status]) -> None:
        self.failed.append((ids, statuses))

    def ended(self) -> list[GrpcioEnded]:
        ended, self.calls_that_ended = self.calls_that_ended, []
        return ended


class CallHarness:
    """Calls of a transport of the test's, begun by `handler`."""

    def __init__(self, handler: Handler) -> None:
        self.transport = HandHeldTransport()
        self.metrics = Metrics()
        self.metrics.register("Embed")
        self.routes = [Route(Method("/a.Service/Embed"), handler, "Embed"), Route(Method("/a.Service/Probe"), handler)]
        self.calls = Calls(self.transport, self.routes, self.metrics)  # type: ignore[arg-type]

    def come(self, *numbers: int) -> None:
        self.transport.coming += [GrpcioMessage(number, 0, b"%d" % number, None, (), 0, 0.0) for number in numbers]

    def counted(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def echo(call: Inbound) -> None:
    call.read(lambda content: call.answer(content or b""))


def test_what_is_answered_while_pulling_is_sent_together() -> None:
    harness = CallHarness(echo)
    harness.come(1, 2, 3)
    assert harness.calls.pull(0.0)
    assert harness.transport.answered == [((1, 2, 3), (b"1", b"2", b"3"))]


def test_what_a_thread_took_beside_a_run_that_is_given_up_is_begun() -> None:
    """Another thread has taken its place, and knows nothing of it."""

    class GivenUp:
        is_used = True

        def take_messages(self, *_: object, **__: object) -> None:
            raise GivenUpError(GrpcioBatch([GrpcioMessage(1, 0, b"1", None, (), 0, 0.0)], [2]))  # type: ignore[arg-type]

        def count(self) -> None:
            """Do nothing: nothing was served."""

    harness = CallHarness(echo)
    harness.calls = Calls(harness.transport, harness.routes, harness.metrics, fast=GivenUp())  # type: ignore[arg-type]
    assert harness.calls.pull(0.0) is None
    assert harness.transport.answered == [((1,), (b"1",))]


def test_an_answer_that_comes_later_is_sent_at_once() -> None:
    begun: list[Inbound] = []
    harness = CallHarness(begun.append)
    harness.come(1, 2)
    harness.calls.pull(0.0)
    begun[1].answer(b"two")
    begun[0].fail(status_pb2.Status(code=code_pb2.INTERNAL, message="no"))
    assert harness.transport.answered == [((2,), (b"two",))]
    assert harness.transport.failed[0][0] == (1,)
    assert harness.transport.failed[0][1][0][:2] == (code_pb2.INTERNAL, "no")


def test_a_message_that_is_over_takes_its_work_along() -> None:
    """Work for it is cancelled once, and not after its answer."""
    left: list[int] = []

    def handle(call: Inbound) -> None:
        call.read(lambda content: call.on_cancelled(lambda: left.append(int(content or b""))))
        if len(begun) == 1:
            call.answer(b"")
        begun.append(call)

    begun: list[Inbound] = []
    harness = CallHarness(handle)
    harness.come(1, 2)
    harness.calls.pull(0.0)
    harness.transport.over = [1, 2]
    harness.calls.pull(0.0)
    assert left == [1]


def test_a_message_that_is_over_before_its_work_begins() -> None:
    """Another thread hears of it while the one that took the message begins it: the work is cancelled at once."""
    left: list[bytes | None] = []

    def handle(call: Inbound) -> None:
        harness.transport.over = [1]
        other = threading.Thread(target=harness.calls.pull, args=(0.0,))
        other.start()
        other.join(TIMEOUT_S)
        assert left == []
        call.read(lambda content: call.on_cancelled(lambda: left.append(content)))

    harness = CallHarness(handle)
    harness.come(1)
    harness.calls.pull(0.0)
    assert left == [b"1"]


def test_a_message_that_is_over_before_it_is_begun() -> None:
    """Another thread hears of it while the one that took the message still is on its way."""
    left: list[bytes | None] = []
    harness = CallHarness(lambda call: call.read(lambda content: call.on_cancelled(lambda: left.append(content))))
    harness.transport.over = [2]
    harness.calls.pull(0.0)
    harness.come(1, 2)
    harness.calls.pull(0.0)
    assert left == [b"2"]


def test_a_handler_that_raises_costs_its_own_message(caplog: pytest.LogCaptureFixture) -> None:
    """The caller is told, without a word of the error's: it may hold the sentence."""

    def handle(call: Inbound) -> None:
        call.read(raising if not harness.transport.answered else call.answer)  # type: ignore[arg-type]

    def raising(content: bytes | None) -> None:
        harness.transport.answered.append(((), ()))
        raise ValueError("a secret")

    harness = CallHarness(handle)
    harness.come(1, 2)
    assert harness.calls.pull(0.0)
    assert harness.transport.answered[1:] == [((2,), (b"2",))]
    ((ids, (status,)),) = harness.transport.failed
    assert (ids, status[:2]) == ((1,), (code_pb2.INTERNAL, "internal error"))
    assert "couldn't be handled" in caplog.text
    assert "secret" not in caplog.text


def test_calls_that_ended_by_themselves_are_counted_once() -> None:
    """Each is counted by code and reason, at the latest when metrics are read; those of no counted method aren't."""
    harness = CallHarness(echo)
    look: Callable[[], None] = harness.calls.count
    harness.metrics.before_scrapes(look)
    harness.transport.calls_that_ended = [
        GrpcioEnded(0, code_pb2.RESOURCE_EXHAUSTED, Reason.late, [0.1]),
        GrpcioEnded(0, code_pb2.CANCELLED, None, [0.1]),
        GrpcioEnded(1, code_pb2.CANCELLED, None, [0.1]),
        GrpcioEnded(-1, code_pb2.UNIMPLEMENTED, Reason.unknown, [0.1]),
    ]
    for _ in range(2):
        assert harness.counted("bothends_requests_total", method="Embed", code="RESOURCE_EXHAUSTED") == 1
        assert harness.counted("bothends_requests_total", method="Embed", code="CANCELLED") == 1
        assert harness.counted("bothends_refused_requests_total", reason="full") == 1
        assert harness.counted("bothends_grpc_refused_calls_total", reason="late") == 1
        assert harness.counted("bothends_grpc_refused_calls_total", reason="unknown") == 1
        assert harness.counted("bothends_request_seconds_count", method="Embed") == 2


def test_a_scrape_waits_for_who_is_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that pulls has taken a call's end from the transport, and not yet counted it: its caller has its
    answer.
    """
    harness, is_counting, may_count = CallHarness(echo), threading.Event(), threading.Event()
    counted = Metrics.transport_refused

    def waiting(metrics: Metrics, reason: str, calls: int = 1) -> None:
        is_counting.set()
        assert may_count.wait(TIMEOUT_S)
        counted(metrics, reason, calls)

    monkeypatch.setattr(Metrics, "transport_refused", waiting)
    harness.metrics.before_scrapes(harness.calls.count)
    harness.transport.calls_that_ended = [GrpcioEnded(0, code_pb2.RESOURCE_EXHAUSTED, Reason.late, [0.1])]
    with ThreadPoolExecutor(2) as pool:
        pulling = pool.submit(harness.calls.count)
        assert is_counting.wait(TIMEOUT_S)
        scrape = pool.submit(harness.counted, "bothends_grpc_refused_calls_total", reason="late")
        with pytest.raises(TimeoutError):
            scrape.result(0.05)
        may_count.set()
        pulling.result(TIMEOUT_S)
        assert scrape.result(TIMEOUT_S) == 1


def test_a_transport_that_has_stopped_ends_the_work() -> None:
    harness = CallHarness(echo)
    harness.transport.has_stopped = True
    assert not harness.calls.pull(0.0)
