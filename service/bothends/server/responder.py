"""A query that a front has parsed, to its answer: embedded, and written as that front wants it.

Knows no wire: each front brings the function that writes its answers.
"""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from ..core.embedder import AcceptedRequest, Embedder, Rows
from ..core.inputs import Sentences
from ..embeddings import Embeddings
from ..observe.metrics import Metrics
from ..options import DEFAULT_OPTIONS, Options
from .context import CallContext

_LONG_CHARS = 4096
"""Characters of a short query. A longer one is read in the pool: the thread that takes calls serves all of them."""
_THREADS = 2
"""Threads of the pool."""


@dataclass(frozen=True, slots=True)
class Query:
    """Request for embeddings, as every front parses it."""

    sentences: Sentences
    options: Options = DEFAULT_OPTIONS
    deadline: float | None = None
    """Deadline of the request's own, a time of `time.monotonic`, if its protocol has such; the call's holds too."""


class Responder:
    """Answers to queries, from one embedder."""

    def __init__(self, embedder: Embedder, metrics: Metrics, *, pool: Executor | None = None) -> None:
        """Answer from `embedder`. `close` also shuts down `pool`, in whose threads long texts are read."""
        self.embedder = embedder
        self._metrics = metrics
        self._pool = pool or ThreadPoolExecutor(_THREADS, "bothends-tokenise")

    def embed(self, query: Query, context: CallContext, write: Callable[[Embeddings], bytes]) -> None:
        """Embed within the call's deadline, and send what `write` makes of it; a caller's leaving frees the queue."""
        self.charge(len(query.sentences), context)
        self.submit(partial(self._begin, query, context, write), query.sentences)

    def embed_here(self, query: Query, context: CallContext, write: Callable[[Embeddings], bytes]) -> None:
        """Embed as `embed` does, but tokenise in this thread, however long it takes: for what was submitted already."""
        self.charge(len(query.sentences), context)
        self._begin(query, context, write)

    def most_sentences(self, context: CallContext) -> int:
        """Return the number of sentences that one request of this caller may hold."""
        most = self.embedder.limits.sentences
        return most if context.account is None else context.account.most(most)

    def charge(self, sentences: int, context: CallContext) -> None:
        """Take `sentences` of the caller's share."""
        if sentences <= self.embedder.limits.sentences:  # else no caller could be served them
            context.charge(sentences)

    def submit(self, act: Callable[[], None], sentences: Sentences) -> None:
        """Act now, or in the pool where to tokenise, or to parse, so much would keep other calls waiting."""
        if sum(map(len, sentences)) > _LONG_CHARS:
            try:
                self._pool.submit(act)
            except RuntimeError:  # closed: there are no other calls now, and the embedder refuses this one
                act()
        else:
            act()

    def close(self) -> None:
        """End the pool's threads once they have done what was submitted."""
        self._pool.shutdown(wait=False)

    def _begin(self, query: Query, context: CallContext, write: Callable[[Embeddings], bytes]) -> None:
        with context.guarding():
            deadline = min((end for end in (context.deadline, query.deadline) if end is not None), default=None)
            accepted, rows = self.embedder.begin(query.sentences, query.options, deadline=deadline, span=context.span)
            context.cancels(rows)
            rows.add_done_callback(partial(self._finish, accepted, context, write))

    def _finish(
        self, accepted: AcceptedRequest, context: CallContext, write: Callable[[Embeddings], bytes], rows: Rows
    ) -> None:
        """Write the answer, on the engine's thread that had the last row."""
        if rows.cancelled():
            return
        with context.guarding():
            found = self.embedder.finish(accepted, rows.result())
            with self._metrics.phase("serialise"):
                content = write(found)
            context.send(content)
