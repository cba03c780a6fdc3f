"""Request in a queue, which is the future that its caller holds, and what it is asked for on behalf of."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import Span

from ..engines.contract import Engine, TokenIds
from ..errors import BothendsError
from ..observe.tracing import NO_SPAN
from .budgets import Terms


class Ticket(Protocol):
    """A call's place in the turns of a transport's callers: its sentences wait for the turn of the call's caller."""

    @property
    def id(self) -> int:
        """Id by which the transport knows the call's message."""
        ...

    def take_spent(self) -> float:
        """Return the seconds of a core that the call has taken and that nobody was charged with yet; they are charged
        now.
        """
        ...


class Request(Future[NDArray[np.float32]]):
    """Sentences that one caller waits for: a future of their rows, float32 [sentences, dimension].

    Cancelling it removes its waiting sentences from the queue.
    """

    def __init__(
        self,
        sentences: int,
        engine: Engine,
        terms: Terms,
        deadline: float | None,
        forget: "Forget",
        span: Span = NO_SPAN,
    ) -> None:
        super().__init__()
        self.engine = engine
        """Engine that is to compute it: its token ids are that engine's."""
        self.terms = terms
        """Terms of that engine's model."""
        self.span = span
        self.size = sentences
        """Number of its sentences."""
        self.deadline = deadline
        self._forget = forget

    def cancel(self) -> bool:
        """Cancel the request like any future, and free its queue space at once."""
        cancelled = super().cancel()
        if cancelled:
            self._forget(self)
        return cancelled

    def no_rows(self) -> NDArray[np.float32]:
        """Return an array for its rows, not yet filled in."""
        return np.empty((self.size, self.engine.dimension), dtype=np.float32)

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
    """Source of requests that computes sentences by itself, in the threads that pull from it."""

    def pull(self, wait_s: float) -> bool | None:
        """Handle what has arrived, and compute what waits; sleep up to `wait_s` seconds until there is something.

        Returns False once no more can come, and None if the calling thread was given up.
        """
        ...

    def submit(self, request: Request, sentences: Sequence[TokenIds], ticket: Ticket) -> None:
        """Let the sentences of `request` wait in the turn of the caller who has `ticket`; some `pull` settles it. Only
        one request at a time may wait for each ticket. Raises OverloadedError.
        """

    def forget(self, request: Request, ticket: Ticket) -> None:
        """Let go of `request`, which was submitted with `ticket`: nobody waits for it. Another may have the ticket by
        now.
        """

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[Stuck]:
        """Give up runs that threads have been in for more than `seconds` inside `pull`, and return them.

        `lost_s` gives the seconds since its last call for which a thread couldn't run; they don't count.
        """
        ...

    def stands_still(self) -> bool:
        """Return True if something has waited for a while of which no thread takes anything."""
        ...

    def wake(self) -> None:
        """Make one thread that sleeps in `pull` return; if none sleeps, the next one to enter."""
        ...
