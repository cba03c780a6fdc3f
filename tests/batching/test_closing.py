"""A queue's end: what was accepted is finished, or told that it won't be; no thread stays."""

import threading
import time
from typing import Any

import pytest

from bothends.batching.request import Request
from bothends.errors import DrainingError
from tests.support.engines import EngineQueue, FreeEngine, HeldEngine, fifo_of
from tests.support.until import TIMEOUT_S


def test_close_finishes_what_was_accepted(queue: EngineQueue, engine: HeldEngine) -> None:
    """Draining answers what waits, and takes nothing new."""
    accepted = queue.submit([[5]] * 9)
    engine.released.release(10)
    assert queue.close(timeout_s=TIMEOUT_S)
    assert accepted.result(0).shape == (9, 2)
    with pytest.raises(DrainingError):
        queue.submit([[1]])


def test_close_ends_every_thread(engine: HeldEngine) -> None:
    """Idle threads end too, once the last batch has run; closing doesn't wait for its time-out."""
    queue = fifo_of(engine, workers=3)
    futures = [queue.submit([[number]]) for number in range(9)]
    engine.await_batch()
    closing = threading.Thread(target=lambda: queue.close(timeout_s=100))
    closing.start()
    engine.released.release(100)
    closing.join(TIMEOUT_S)
    assert not closing.is_alive()
    assert all(future.done() for future in futures)


def test_close_tells_those_it_can_not_finish(queue: EngineQueue, engine: HeldEngine) -> None:
    """An engine that hangs can't hold a drain past its bound: what waits fails."""
    waiting = queue.submit([[5]])
    assert not queue.close(timeout_s=0.01)
    with pytest.raises(DrainingError):
        waiting.result(TIMEOUT_S)


def test_close_tells_those_whose_batch_still_runs(engine: HeldEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that hangs, or takes longer than a stop may: nobody waits for it any more, no thread among them."""
    settle = Request.settle

    def slowly(request: Request, outcome: Any) -> None:
        time.sleep(0.05)  # in which a thread that was woken too early would have gone to sleep again
        settle(request, outcome)

    monkeypatch.setattr(Request, "settle", slowly)
    queue = fifo_of(engine)
    futures = [queue.submit([[1]])]
    engine.await_batch()
    futures.append(queue.submit([[2]]))
    assert not queue.close(timeout_s=0.05)
    for future in futures:
        with pytest.raises(DrainingError):
            future.result(TIMEOUT_S)
    engine.released.release(10)
    assert queue.join(TIMEOUT_S)


def test_who_leaves_a_batchers_context_has_closed_it() -> None:
    """All that was accepted is answered by then, and no thread is left."""
    with fifo_of(FreeEngine()) as queue:
        accepted = queue.submit([[5]])
    assert accepted.done()
    assert queue.join(0)
