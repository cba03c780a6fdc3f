"""Answers a query: embeds its sentences, and sends what the query's front writes of the embeddings."""

from collections.abc import Sequence, Sized
from functools import partial

from ..core.embedder import Embedder
from ..core.query import AcceptedRequest, Query, Rows
from ..embeddings import Write
from ..observe.metrics import Metrics
from .answer_budget import AnswerBudget, Share
from .context import CallContext
from .quota import extra

_NUMBER_BYTES = 16
"""Bytes that each number takes while an answer is made: in its row, and as JSON."""


class Responder:
    """Answers to queries, from one embedder."""

    def __init__(self, embedder: Embedder, metrics: Metrics, *, answer_budget: AnswerBudget | None = None) -> None:
        """Answer from `embedder`; answers that take room have it in `answer_budget`."""
        self._answer_budget = answer_budget or AnswerBudget()
        self.embedder = embedder
        self._metrics = metrics

    def embed(self, query: Query, context: CallContext, write: Write) -> None:
        """Embed within the call's deadline, and send what `write` makes of it; a caller's leaving frees the queue.

        Raises what `Embedder.begin` does, or what refuses the caller more of its share.
        """
        self.charge(query.sentences, context)
        self._complete(query, context)
        accepted, rows = self.embedder.begin(
            query.sentences,
            query.options,
            deadline=query.deadline,
            span=query.span,
            is_over=context.is_over,
            caller=context.caller,
        )
        numbers = len(accepted.token_counts) * self.embedder.model.config.dimension
        context.keep(self._answer_budget, Share(numbers * _NUMBER_BYTES, sum(accepted.token_counts)))
        context.cancels(rows)
        rows.add_done_callback(partial(self._finish, accepted, context, write))

    def most_sentences(self, context: CallContext) -> int:
        """Return the number of sentences that one request of this caller may hold."""
        most = self.embedder.limits.sentences
        return most if context.account is None else context.account.most(most)

    def charge(self, sentences: Sequence[Sized], context: CallContext) -> None:
        """Take `sentences` of the caller's share."""
        if context.account is not None and len(sentences) <= self.embedder.limits.sentences:  # else nobody is served
            context.charge(len(sentences), extra=extra(sentences))

    def _complete(self, query: Query, context: CallContext) -> None:
        """Give a query what its call says: an earlier deadline, and the span."""
        query.span = context.span
        if context.deadline is not None:
            query.deadline = context.deadline if query.deadline is None else min(query.deadline, context.deadline)

    def _finish(self, accepted: AcceptedRequest, context: CallContext, write: Write, rows: Rows) -> None:
        """Write the answer, on the engine's thread that had the last row."""
        if rows.cancelled():
            return
        if isinstance(error := rows.exception(), Exception):
            context.raised(error)  # it isn't raised here: its traceback would hold `rows`, which hold it
            return
        with context.guarding():
            found = self.embedder.finish(accepted, rows.result())
            with self._metrics.phase("serialise"):
                content = write(found)
            context.send(content)
