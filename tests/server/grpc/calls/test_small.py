"""Small requests that were embedded together: who is answered, and who is begun again, where something goes wrong."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bothends.errors import EngineError
from bothends.observe.metrics import Metrics
from bothends.server.grpc.calls.small import SmallBatch
from bothends.server.grpc.contract import Message
from bothends.server.grpc.grpcio.message_queue import Received


class Holder:
    """A holder of messages, which remembers what becomes of each."""

    def __init__(self, *ids: int) -> None:
        self.held = set(ids)
        self.answered: list[int] = []
        self.begun: list[int] = []

    def release(self, ids: Iterable[int]) -> frozenset[int]:
        found = frozenset(ids) & self.held
        self.held -= found
        return found

    def answer_all(self, ids: Sequence[int], contents: Sequence[bytes]) -> None:
        self.answered += ids

    def begin_alone(self, message: Message) -> None:
        self.begun.append(message.id)


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.register("Embed")
    return metrics


def batch_of(holder: Holder, metrics: Metrics) -> SmallBatch:
    """A batch of messages 1, 2 and 3, of a sentence each."""
    of: Any = SimpleNamespace(metrics=metrics, name="Embed")
    embedder: Any = SimpleNamespace(metrics=metrics.of("toy"), finish=lambda _, rows: rows)
    batch = SmallBatch(of, embedder, holder)  # type: ignore[arg-type]  # as much of one as is asked
    write: Callable[[Any], bytes] = lambda rows: rows.tobytes()  # noqa: E731
    for number in (1, 2, 3):
        accepted: Any = SimpleNamespace(token_counts=[1])
        batch.members.append((Received(number, 0, b"", None, (), 0, 0.0), write, accepted))
    return batch


def rows_of(outcome: Exception | None) -> Any:
    rows: Future[Any] = Future()
    rows.set_exception(outcome) if outcome else rows.set_result(np.zeros((3, 2), np.float32))
    return rows


def test_who_has_left_is_not_begun_again(metrics: Metrics) -> None:
    """A run that failed says nothing of each: those who still wait are begun alone."""
    holder = Holder(1, 3)
    batch_of(holder, metrics).finish(rows_of(EngineError("the model run failed")))
    assert (holder.begun, holder.answered) == ([1, 3], [])


def test_what_can_not_be_counted_is_answered(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number is worth no second run."""

    def raising(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(Metrics, "answered_all", raising)
    holder = Holder(1, 2, 3)
    batch_of(holder, metrics).finish(rows_of(None))
    assert (holder.begun, holder.answered) == ([], [1, 2, 3])
