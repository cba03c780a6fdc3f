"""Interface of a queue of sentences in front of engines, as an embedder uses it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from opentelemetry.trace import Span

from ..engines.contract import BatchRecord, Engine, TokenIds
from .budgets import Terms
from .request import Depth, Request, Ticket


class Queue(Protocol):
    """Queue of sentences, and the threads that compute them: several models may share one."""

    @property
    def workers(self) -> int:
        """Most model runs at once."""
        ...

    @property
    def queued(self) -> Depth:
        """Number of requests, sentences and tokens that wait in this process's memory of Python's."""
        ...

    @property
    def wait_s(self) -> float:
        """Estimated wait, in seconds, of a sentence of usual length that arrives now."""
        ...

    def submit(
        self,
        sentences: Sequence[TokenIds],
        *,
        engine: Engine,
        terms: Terms,
        deadline: float | None,
        span: Span,
        ticket: Ticket | None,
    ) -> Request:
        """Queue sentences of at least one token each; the future holds `engine`'s float32 [sentences, dimension].

        `terms` belong to the engine's model. `deadline` is a time of `time.monotonic`. `ticket` is the call's, where
        its transport has turns. Raises OverloadedError, DrainingError or DeadlineError, and then nothing was
        queued. The future raises DeadlineError, EngineError, NotServingError or ReplacedError.
        """
        ...

    def refuse_if_full(self, min_tokens: int) -> None:
        """Raise OverloadedError if even a request of `min_tokens` tokens would find no room."""

    def ran(self, record: BatchRecord, terms: Terms) -> None:
        """Record a batch that ran elsewhere, with the model of these `terms`."""

    def in_each_thread(self, act: Callable[[], None], *, timeout_s: float) -> bool:
        """Make each thread that computes call `act` once, between two batches; returns True if all did within
        `timeout_s`.
        """
        ...

    def watching(self, give_up: Callable[[], None]) -> AbstractContextManager[None]:
        """Return a context manager for a run outside the queue: `give_up` is called once it takes too long."""
        ...

    def close(self, *, timeout_s: float) -> bool:
        """Finish what waits, and stop; returns False if some requests failed with DrainingError."""
        ...

    def join(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds, after `close`, until no thread is inside a run; returns True if none is."""
        ...
