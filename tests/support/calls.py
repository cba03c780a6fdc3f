"""Calls without a protocol, whose caller is the test."""

from collections.abc import Callable
from dataclasses import dataclass, field

from google.rpc import status_pb2

from bothends.observe.tracing import NO_SPAN
from bothends.server.context import CallContext


@dataclass
class HandHeldCall:
    """An `Inbound`; what became of it stands in `outcomes`."""

    content: bytes | None = b""
    lag_s: float = 0.0
    was_read: bool = False
    deadline: float | None = None
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    outcomes: list[bytes | status_pb2.Status] = field(default_factory=list)

    def read(self, then: Callable[[bytes | None], None]) -> None:
        self.was_read = True
        then(self.content)

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
    return CallContext(call, lambda code, refused: None, NO_SPAN)  # type: ignore[arg-type]
