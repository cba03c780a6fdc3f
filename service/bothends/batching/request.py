"""A request in the batcher's queue, which is the future that its caller holds, and the interface of a source of
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
    """A caller's sentences on their way: rows arrive one batch at a time, and the last one settles it.

    It is the future that the caller holds; cancelling it removes from the queue what still waits.
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
        """Caller whose requests share turns; None where each request has turns of its own."""
        self.rows = np.empty((sentences, engine.dimension), dtype=np.float32)
        self._missing = sentences
        self.deadline = deadline
        self.waiting_sentences = self.waiting_tokens = 0
        self._forget = forget

    def cancel(self) -> bool:
        """Cancel it as any future, and give back its places at once."""
        cancelled = super().cancel()
        if cancelled:
            self._forget(self)
        return cancelled

    def put(self, positions: Sequence[int], rows: NDArray[np.float32]) -> bool:
        """Take the rows of the sentences at `positions`; returns True if they were the last. One thread at a time."""
        self.rows[positions] = rows
        self._missing -= len(positions)
        return not self._missing

    def settle(self, outcome: NDArray[np.float32] | BothendsError) -> None:
        """Answer the caller, unless the request was cancelled in this very moment."""
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
    """A waiting sentence and its place in its request."""

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
    """A run that was given up: the thread that is in it, and its engine with the terms of its model."""

    thread: int
    engine: Engine
    terms: Terms


class WorkSource(Protocol):
    """Source of work that no caller's thread submits. The batcher's threads ask it, several at a time."""

    @property
    def runs_itself(self) -> bool:
        """True if threads run the engine inside `pull`, for what needn't be submitted."""
        ...

    @property
    def has_hasty_callers(self) -> bool:
        """True if somebody has lately asked for what is answered soon inside `pull`: then a thread is left to them."""
        ...

    def pull(self, sentences: int, wait_s: float, *, may_run: bool = True) -> bool | None:
        """Submit what has come, up to about so many sentences; sleep up to `wait_s` until something has.

        Where it `may_run`, the thread has a core, and may do by itself what it needn't submit. Returns False once
        nothing more will come, and None where the calling thread was given up.
        """
        ...

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[Stuck]:
        """Give up runs that threads have been in for so long inside `pull`, and return them.

        `lost_s` tells the seconds since the last time in which a thread couldn't go on: they don't count.
        """
        ...

    def hand_over_polling(self) -> None:
        """Have one that sleeps in `pull` look at what comes: the calling thread will be busy for a while."""
        ...

    def wake(self) -> None:
        """Wake one that sleeps in `pull`, to return; who comes next, where none sleeps."""
        ...

    def gathering(self) -> AbstractContextManager[None]:
        """Send what this thread answers inside `with` all at once."""
        ...
