"""A query that a front has parsed, to its answer: embedded, and written as that front wants it.

Knows no wire: each front brings the function that writes its answers.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core.embedder import AcceptedRequest, Embedder, Query, Rows
from ..core.inputs import Sentences
from ..embeddings import Embeddings
from ..errors import BothendsError
from ..observe.metrics import Metrics
from .context import CallContext

_LONG_CHARS = 4096
"""Characters of a short query. A longer one is read in the pool: the thread that takes calls serves all of them."""
_FEW = 16
"""Most sentences of a query that is embedded together with others: they are embedded even if its caller leaves."""
_THREADS = 2
"""Threads of the pool."""


Write: TypeAlias = Callable[[Embeddings], bytes]
"""Function from embeddings to a response's bytes."""

Asked: TypeAlias = tuple[Query, CallContext, Write]
"""A query with its call and what writes its answer."""


class Responder:
    """Answers to queries, from one embedder."""

    def __init__(self, embedder: Embedder, metrics: Metrics, *, pool: Executor | None = None) -> None:
        """Answer from `embedder`. `close` also shuts down `pool`, in whose threads long texts are read."""
        self.embedder = embedder
        self._metrics = metrics
        self._pool = pool or ThreadPoolExecutor(_THREADS, "bothends-tokenise")

    def embed(self, query: Query, context: CallContext, write: Write) -> None:
        """Embed within the call's deadline, and send what `write` makes of it; a caller's leaving frees the queue."""
        self.charge(len(query.sentences), context)
        self.submit(partial(self._begin, query, context, write), query.sentences)

    def embed_all(self, asked: Sequence[Asked]) -> None:
        """Embed as `embed` does, small queries together; where that goes wrong, each alone."""
        together = []
        for query, context, write in asked:
            with context.guarding():
                if _is_small(query) and not context.span.is_recording():
                    self.charge(len(query.sentences), context)
                    together.append((query, context, write))
                else:
                    self.embed(query, context, write)
        if not together:
            return
        try:
            accepted, rows = self.embedder.begin_together([query for query, _, _ in together])
        except BothendsError:
            self._embed_apart(together)
            return
        begun = []
        for known, of in zip(accepted, together, strict=True):
            if isinstance(known, BothendsError):
                of[1].fail(known)
            else:
                begun.append((known, of))
        rows.add_done_callback(partial(self._finish_all, begun))

    def _finish_all(self, begun: Sequence[tuple[AcceptedRequest, Asked]], rows: Rows) -> None:
        """Write the answers of what was embedded together."""
        if rows.exception() is not None:
            self._embed_apart([asked for _, asked in begun])
            return
        found, start = rows.result(), 0
        for accepted, (_, context, write) in begun:
            end = start + len(accepted.token_counts)
            self._send(accepted, context, write, found[start:end])
            start = end

    def _embed_apart(self, asked: Sequence[Asked]) -> None:
        """Embed each query alone, so that an error is only its own. Their sentences are charged already."""
        for query, context, write in asked:
            self._begin(query, context, write)

    def embed_here(self, query: Query, context: CallContext, write: Write) -> None:
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
        if _is_long(sentences):
            try:
                self._pool.submit(act)
            except RuntimeError:  # closed: there are no other calls now, and the embedder refuses this one
                act()
        else:
            act()

    def close(self) -> None:
        """End the pool's threads once they have done what was submitted."""
        self._pool.shutdown(wait=False)

    def _begin(self, query: Query, context: CallContext, write: Write) -> None:
        with context.guarding():
            self._complete(query, context)
            self._await(
                *self.embedder.begin(query.sentences, query.options, deadline=query.deadline, span=query.span),
                context,
                write,
            )

    def _complete(self, query: Query, context: CallContext) -> None:
        """Give a query what its call says: an earlier deadline, and the span."""
        query.span = context.span
        if context.deadline is not None:
            query.deadline = context.deadline if query.deadline is None else min(query.deadline, context.deadline)

    def _await(self, accepted: AcceptedRequest, rows: Rows, context: CallContext, write: Write) -> None:
        context.cancels(rows)
        rows.add_done_callback(partial(self._finish, accepted, context, write))

    def _finish(self, accepted: AcceptedRequest, context: CallContext, write: Write, rows: Rows) -> None:
        """Write the answer, on the engine's thread that had the last row."""
        if rows.cancelled():
            return
        with context.guarding():
            self._send(accepted, context, write, rows.result())

    def _send(self, accepted: AcceptedRequest, context: CallContext, write: Write, rows: NDArray[np.float32]) -> None:
        with context.guarding():
            found = self.embedder.finish(accepted, rows)
            with self._metrics.phase("serialise"):
                content = write(found)
            context.send(content)


def _is_long(sentences: Sentences) -> bool:
    return sum(map(len, sentences)) > _LONG_CHARS


def _is_small(query: Query) -> bool:
    return len(query.sentences) <= _FEW and query.deadline is None and not _is_long(query.sentences)
