"""Request in the batcher's queue, which is the future that its caller holds, and the interface of a source of
requests.
"""

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import Span

from ..engines.contract import Engine, TokenIds
from ..errors import BothendsError
from ..observe.tracing import NO_SPAN
from .budgets import Terms


class Request(Future[NDArray[np.float32]]):
    """Sentences that one caller waits for. Rows arrive batch by batch, and the last batch settles the request.

    It is the future that the caller holds; cancelling it removes its waiting sentences from the queue.
    """

    def __init__(
        self,
        sentences: int,
        engine: Engine,
        terms: Terms,
        deadline: float | None,
        forget: "Forget",
        span: Span = NO_SPAN,
        *,
        caller: Hashable = None,
    ) -> None:
        super().__init__()
        self.engine = engine
        """Engine that is to compute it: its token ids are that engine's."""
        self.terms = terms
        """Terms of that engine's model."""
        self.span = span
        self.caller = caller
        """Caller whose requests share turns; None if each request has its own turns."""
        self.run_s = 0.0
        """Seconds for which its sentences have kept a core: of each run, its part by tokens."""
        self.rows = np.empty((sentences, engine.dimension), dtype=np.float32)
        self._missing = sentences
        self.deadline = deadline
        self.waiting_sentences = self.waiting_tokens = 0
        self._forget = forget

    def cancel(self) -> bool:
        """Cancel the request like any future, and free its queue space at once."""
        cancelled = super().cancel()
        if cancelled:
            self._forget(self)
        return cancelled

    def put(self, positions: Sequence[int], rows: NDArray[np.float32]) -> bool:
        """Store the rows of the sentences at `positions`; returns True if all rows are there.

        Call from one thread at a time.
        """
        self.rows[positions] = rows
        self._missing -= len(positions)
        return not self._missing

    def settle(self, outcome: NDArray[np.float32] | BothendsError) -> None:
        """Answer the caller. Does nothing if the request has just been cancelled."""
        try:
            if isinstance(outcome, BothendsError):
                self.set_exception(outcome)
            else:
                self.set_result(outcome)
        except InvalidStateError:
            pass  # cancelled: no caller waits
        if isinstance(outcome, BothendsError):
            self._forget(self)


Forget = Callable[[Request], None]
"""Callback that removes a request's waiting sentences from the queue."""


class Sentence(NamedTuple):
    """Waiting sentence and its position in its request."""

    ids: TokenIds
    request: Request
    position: int
    since: float


class Depth(NamedTuple):
    """Amount that waits, in each unit."""

    requests: int
    sentences: int
    tokens: int


class Stuck(NamedTuple):
    """Run that was given up: the thread that is in it, its engine, and the terms of its model."""

    thread: int
    engine: Engine
    terms: Terms


class WorkSource(Protocol):
    """Source of work that isn't submitted by callers' threads.

    The batcher's threads pull from it, several at a time.
    """

    @property
    def runs_itself(self) -> bool:
        """True if threads may run the model inside `pull`, for work that needn't be submitted."""
        ...

    @property
    def has_hasty_callers(self) -> bool:
        """True if a caller has recently asked for work that is answered quickly inside `pull`; a thread is then kept
        free for it.
        """
        ...

    def pull(self, sentences: int, wait_s: float, *, may_run: bool = True) -> bool | None:
        """Submit work that has arrived, up to about `sentences` sentences; sleep up to `wait_s` seconds until something
        arrives.

        If `may_run`, the calling thread has a core, and may run by itself work that needn't be submitted. Returns False
        once no more work can come, and None if the calling thread was given up.
        """
        ...

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[Stuck]:
        """Give up runs that threads have been in for more than `seconds` inside `pull`, and return them.

        `lost_s` gives the seconds since its last call for which a thread couldn't run; they don't count.
        """
        ...

    def hand_over_polling(self) -> None:
        """Make a thread that sleeps in `pull` watch for arrivals, because the calling thread will be busy for a
        while.
        """
        ...

    def wake(self) -> None:
        """Make one thread that sleeps in `pull` return; if none sleeps, the next one to enter."""
        ...

    def gathering(self) -> AbstractContextManager[None]:
        """Return a context manager that collects the answers of this thread, and sends them together when it ends."""
        ...
