"""Calls without a protocol, whose caller is the test."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from google.rpc import status_pb2

from bothends.observe.metrics import Metrics
from bothends.observe.tracing import NO_SPAN, MethodName
from bothends.server.caller import Caller
from bothends.server.concurrency_limit import ConcurrencyLimit
from bothends.server.context import CallContext
from bothends.server.dispatch import Dispatcher, protobuf
from bothends.server.inbound import Inbound
from bothends.server.thread_times import ThreadTimes
from bothends.v1 import embedding_pb2
from bothends.wire.messages import SERVICE


@dataclass
class HandHeldCall:
    """An `Inbound`; what became of it stands in `outcomes`."""

    content: bytes | None = b""
    arrived: float = field(default_factory=time.monotonic)
    caller: Caller | str = "a caller"
    """Who calls; a name alone is a network of its own."""
    was_read: bool = False
    deadline: float | None = None
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    key: bytes | None = None
    outcomes: list[bytes | status_pb2.Status] = field(default_factory=list)
    charged_s: float = 0.0
    times: ThreadTimes = field(default_factory=ThreadTimes)

    def __post_init__(self) -> None:
        if isinstance(self.caller, str):
            self.caller = Caller(self.caller, self.caller)

    def read(self, then: Callable[[bytes | None], None]) -> None:
        self.was_read = True
        then(self.content)

    def charge(self, seconds: float) -> None:
        self.charged_s += seconds

    def answer(self, content: bytes) -> None:
        self.outcomes.append(content)

    def fail(self, status: status_pb2.Status) -> None:
        self.outcomes.append(status)

    def on_cancelled(self, then: Callable[[], None]) -> None:
        self.leave = then

    def wire_status(self, code: int) -> int:
        return code


def context_of(call: HandHeldCall) -> CallContext:
    """The context of a call that came past no gate."""
    return CallContext(cast("Inbound", call), lambda code, refused: None, NO_SPAN)


class CallHarness:
    """A dispatcher with one method, and what came of a call."""

    def __init__(
        self,
        behaviour: Callable[[embedding_pb2.EmbedRequest, CallContext], None],
        limit: int = 1,
        *,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self.concurrency = ConcurrencyLimit(limit=limit)
        self.wait_s = 0.0
        dispatcher = Dispatcher(self.metrics, self.concurrency, lambda: self.wait_s)
        self.handle = dispatcher.handler(
            MethodName.rpc(SERVICE, "Embed"), protobuf(embedding_pb2.EmbedRequest), behaviour
        )

    def call(self, content: bytes | None = b"", deadline: float | None = None) -> HandHeldCall:
        call = HandHeldCall(content, deadline=deadline)
        self.handle(cast("Inbound", call))
        return call

    def counted(self, name: str = "bothends_requests_total", label: str = "code") -> dict[str, float]:
        """Calls by code, or by another counter's label: those that were counted at all."""
        samples = self.metrics.registry.collect()
        found = [s for metric in samples for s in metric.samples if s.name == name]
        return {sample.labels[label]: sample.value for sample in found if sample.value}

    def is_empty(self) -> bool:
        return self.concurrency.close(timeout_s=0)


def only_code(call: HandHeldCall) -> int:
    (status,) = call.outcomes
    assert isinstance(status, status_pb2.Status)
    return int(status.code)
