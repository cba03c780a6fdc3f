"""Answers a query: embeds its sentences, and sends what the query's front writes from the embeddings.

Each model has its own responder.
"""

from collections.abc import Iterator, Sequence, Sized
from functools import partial

from ..core.embedder import Embedder
from ..core.query import AcceptedRequest, Query, Rows
from ..embeddings import Write
from ..errors import ReplacedError, UnknownModelError
from ..text import printable
from .context import CallContext
from .quota import extra

DEFAULT = "default"
"""Name by which a caller over HTTP asks for whichever model is for those who name none."""
_SHOWN_CHARS = 64
_SHOWN_NAMES = 8
"""Number of names that an error lists: enough to find the right one, and no more than a screen's line holds."""


class Responder:
    """Answers queries from the embedder of one model."""

    def __init__(self, embedder: Embedder) -> None:
        """Answer from `embedder`."""
        self.embedder = embedder

    @property
    def name(self) -> str:
        """Name by which callers ask for the model."""
        return self.embedder.name

    def embed(self, query: Query, context: CallContext, write: Write) -> None:
        """Embed a query within the call's deadline, and send the caller the bytes that `write` makes of the embeddings,
        in the thread that ran the model. If the caller leaves, its work is cancelled.

        Raises what `Embedder.begin` raises, or QuotaError.
        """
        self.charge(query.sentences, context)
        self._complete(query, context)
        self._begin(query, context, write)

    def _begin(self, query: Query, context: CallContext, write: Write) -> None:
        accepted, rows = self.embedder.begin(
            query.sentences,
            query.options,
            deadline=query.deadline,
            span=query.span,
            is_over=context.is_over,
            ticket=context.ticket,
        )
        context.cancels(rows)
        rows.add_done_callback(partial(self._finish, query, accepted, context, write))

    def max_sentences(self, context: CallContext) -> int:
        """Return the largest number of sentences in one request of this caller."""
        most = self.embedder.limits.sentences
        return most if context.account is None else context.account.capped(most)

    def charge(self, sentences: Sequence[Sized], context: CallContext) -> None:
        """Count `sentences` against the caller's quota, and note model and number for the call's log line. Raises
        QuotaError.
        """
        context.asked.model, context.asked.sentences = self.name, len(sentences)
        if context.account is not None and len(sentences) <= self.embedder.limits.sentences:  # else nobody is served
            context.charge(len(sentences), extra=extra(sentences))

    def _complete(self, query: Query, context: CallContext) -> None:
        """Give a query what its call says: an earlier deadline, and the span."""
        query.span = context.span
        if context.deadline is not None:
            query.deadline = context.deadline if query.deadline is None else min(query.deadline, context.deadline)

    def _finish(self, query: Query, accepted: AcceptedRequest, context: CallContext, write: Write, rows: Rows) -> None:
        """Write the answer, on the engine's thread that had the last row; begin anew if another model took over."""
        if rows.cancelled():
            return
        if isinstance(error := rows.exception(), Exception) and not isinstance(error, ReplacedError):
            context.raised(error)  # it isn't raised here: its traceback would hold `rows`, which hold it
            return
        with context.spending(), context.guarding():
            if error is not None:
                self._begin(query, context, write)
                return
            found = self.embedder.finish(accepted, rows.result())
            with self.embedder.metrics.phase("serialise"):
                content = write(found)
            context.send(content)


class Responders:
    """Responders of a server's models, by the names by which callers ask for them."""

    def __init__(self, responders: Sequence[Responder]) -> None:
        """Take at least one; the first is for callers who name none."""
        self._by_name = {responder.name: responder for responder in responders}
        self.default = responders[0]
        """Responder of callers who name no model."""

    @property
    def names(self) -> list[str]:
        """Names of all models, the default model's first."""
        return list(self._by_name)

    def __iter__(self) -> Iterator[Responder]:
        return iter(self._by_name.values())

    def find(self, name: str) -> Responder:
        """Return the responder of the model `name`; the default model's if empty. Raises like `named`."""
        return self.named(name) if name else self.default

    def named(self, name: str) -> Responder:
        """Return the responder of the model `name`. Raises UnknownModelError that lists the known names."""
        if (found := self._by_name.get(name)) is None:
            raise UnknownModelError(f"model {printable(name)[:_SHOWN_CHARS]!r} isn't served here; {self.listed()}")
        return found

    def listed(self) -> str:
        """Return the names as text for an error, cut to a bounded length."""
        names = self.names
        shown = [repr(name) for name in names[:_SHOWN_NAMES]]
        if len(names) == 1:
            return f"{shown[0]} is"
        more = len(names) - len(shown)
        return f"{', '.join(shown)} and {more} more are" if more else f"{', '.join(shown[:-1])} and {shown[-1]} are"


class ModelNames:
    """Names by which HTTP callers ask for models: the models' own names, and aliases of the default model."""

    def __init__(self, responders: Responders, aliases: Sequence[str]) -> None:
        self._responders = responders
        self._aliases = aliases

    def all(self) -> list[str]:
        """Return all names, the default model's own name first."""
        return list(dict.fromkeys([*self._responders.names, *self._aliases]))

    def find(self, asked: str | None) -> Responder:
        """Return the responder of the model that is asked for. Raises UnknownModelError for an unknown name."""
        default = self._responders.default
        if asked in (None, DEFAULT) or asked in self._aliases:
            return default
        if asked in self._responders.names:
            return self._responders.named(asked)
        shown, listed = printable(asked)[:_SHOWN_CHARS], self._responders.listed()
        also = "as it is" if len(self._responders.names) == 1 else f"and {default.name!r}"
        raise UnknownModelError(
            f"the model {shown!r} does not exist here; {listed} served, {also} where no model is named"
        )
