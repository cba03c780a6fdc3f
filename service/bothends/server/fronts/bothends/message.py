"""Answers one message of EmbedStream: an embedding or an error for each of its sentences.

A sentence that can't be embedded doesn't fail the others: an unreadable one is left out, and if the engine fails for
the whole batch, each sentence is tried alone.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from ....core.embedder import Embedder
from ....core.query import AcceptedRequest, Rows
from ....errors import (
    BothendsError,
    EngineError,
    NotServingError,
    OverloadedError,
    ReplacedError,
    RequestError,
    SentenceError,
)
from ....v1 import embedding_pb2
from ....wire.messages import Item, encode_items, items, options
from ....wire.status import sentence_status, to_status
from ...context import CallContext
from ...quota import extra

_SENTENCE_WORK = 64
"""Bytes of text that are read in the time that a sentence's own item, or error, takes."""


class MessageListener(Protocol):
    """Callbacks for the outcome of a `StreamMessage`. Any thread may call them."""

    def done(self, message: "StreamMessage") -> None:
        """Called when `message` has its response ready in `content`."""

    def full(self, message: "StreamMessage", error: OverloadedError) -> None:
        """Called when there was no room for `message`, which has to be tried again."""

    def failed(self, message: "StreamMessage", error: BothendsError) -> None:
        """Called when `message` has failed and will have no response."""


class StreamMessage:
    """Message of EmbedStream that is being answered."""

    def __init__(
        self,
        request: embedding_pb2.EmbedStreamRequest,
        *,
        embedder: Embedder,
        context: CallContext,
        listener: MessageListener,
    ) -> None:
        self.sentences: Sequence[str] = request.sentences
        self.content: bytes | None = None
        """The response's bytes, once it is complete."""
        self._request = request
        self._embedder = embedder
        self.context = context
        self.has_waited = False
        """True once it had to wait for its share, or for room."""
        self._listener = listener
        self._lock = threading.Lock()
        self._items: list[Item | None] = [None] * len(self.sentences)
        self._missing = len(self.sentences)
        self._version: str | None = None
        self._work: list[Rows] = []
        self._waiting: list[Sequence[int]] = [range(len(self.sentences))]  # places of those to be begun, or tried again
        self._alone: list[int] = []  # places of those to be tried, each once the one before has its outcome
        self._charged = self._is_over = False
        self._extra = 0  # that its long sentences count for

    @property
    def size(self) -> int:
        """Size of the request in bytes."""
        return self._request.ByteSize()

    @property
    def work(self) -> int:
        """Cost of the request in bytes: its size, plus a fixed amount for each sentence, however short."""
        return self.size + _SENTENCE_WORK * len(self.sentences)

    def begin(self) -> None:
        """Embed the sentences, or on a second try those that found no room in the queue before."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for index, places in enumerate(waiting):
            self.begin_at(places)
            with self._lock:
                if self._waiting:  # no more room than for those before
                    self._waiting += waiting[index + 1 :]
                    return

    def close(self, *, unserved: bool = False) -> None:
        """Release what the message holds, since it was answered or won't be.

        `unserved` means that the server is to blame, so that the quota isn't charged.
        """
        with self._lock:
            charged, self._charged = self._charged, False
            work, self._work = self._work, []  # which leads back here; a circle would wait for the garbage collector
            self._is_over = True
        for rows in work:
            rows.cancel()
        if charged and self.context.account is not None:
            self.context.account.give_back(len(self.sentences), extra=self._extra, unserved=unserved)

    def cancel(self) -> None:
        """Release what the message holds, since its caller has left or it has failed."""
        self.close()

    def begin_at(self, places: Sequence[int]) -> None:
        """Embed the sentences with these indices."""
        if not self._is_over:
            self._attempt(places, partial(self._begin, places))

    def _attempt(self, places: Sequence[int], act: Callable[[], None]) -> None:
        """Act, and take what is raised for the error of `places`."""
        with self.context.spending(), self.context.guarding():
            try:
                act()
            except BothendsError as error:
                self._fail(places, error)

    def _fail(self, places: Sequence[int], error: BothendsError) -> None:
        """Handle an error so that it costs no more than it must."""
        match error:
            case OverloadedError():
                with self._lock:
                    self._waiting.append(places)
                self._listener.full(self, error)
            case EngineError():
                self._isolate(places, error)
            case ReplacedError():
                self.begin_at(places)
            case RequestError():
                self._refuse(places, error)
            case _:
                self._listener.failed(self, error)

    def _begin(self, places: Sequence[int]) -> None:
        asked = options(self._request)
        self.charge()
        unreadable: list[SentenceError] = []
        accepted, rows = self._embedder.begin(
            self.sentences if len(places) == len(self.sentences) else [self.sentences[place] for place in places],
            asked,
            deadline=self.context.deadline,
            span=self.context.span,
            on_error=unreadable.append,
            is_over=self.context.is_over,
            ticket=self.context.ticket,
        )
        with self._lock:
            is_over = self._is_over
            if not is_over:
                self._work.append(rows)
        if is_over:
            rows.cancel()
        if unreadable:
            wrong = [(places[error.index], error) for error in unreadable]
            self._put([(place, sentence_status(error, place)) for place, error in wrong])
        left_out = {error.index for error in unreadable}
        read = [place for index, place in enumerate(places) if index not in left_out]
        rows.add_done_callback(partial(self._ready, read, accepted))

    def charge(self) -> None:
        """Count its sentences against the caller's quota, once.

        Raises QuotaError, or RequestError for too many sentences.
        """
        with self._lock:
            if self.context.account is None or self._charged or self._is_over:
                return
            if len(self.sentences) <= self._embedder.limits.sentences:  # else no caller could be served them
                self._extra = extra(self.sentences)
                self.context.account.take_share(len(self.sentences), extra=self._extra)
                self._charged = True

    def _ready(self, places: Sequence[int], accepted: AcceptedRequest, rows: Rows) -> None:
        """Take the rows, on the engine's thread that had the last one."""
        self._attempt(places, partial(self._finish, places, accepted, rows))

    def _finish(self, places: Sequence[int], accepted: AcceptedRequest, rows: Rows) -> None:
        if rows.cancelled():
            return
        if isinstance(error := rows.exception(), BothendsError):
            self._fail(places, error)  # it isn't raised here: its traceback would hold `rows`, which hold it
            return
        found = self._embedder.finish(accepted, rows.result())
        with self._lock:
            self._version = self._version or found.model_version
            if self._version != found.model_version:
                raise NotServingError("another model took over in the middle of a message")
        self._put(zip(places, items(found, accepted.options.encoding), strict=True))

    def _isolate(self, places: Sequence[int], error: EngineError) -> None:
        """Try each sentence alone, if that may help, so that only the one to blame fails."""
        if len(places) > 1 and not error.hung:
            self._alone = list(places)  # a call has one place in its caller's turns
            self.begin_at([self._alone.pop(0)])
        else:
            self._put([(index, to_status(error)) for index in places])

    def _refuse(self, places: Sequence[int], error: RequestError) -> None:
        """Fail each sentence with `error`, if there is at least one and not too many."""
        if 0 < len(self.sentences) <= self._embedder.limits.sentences:
            self._put([(index, to_status(error)) for index in places])
        else:
            self._listener.failed(self, error)

    def _put(self, found: Iterable[tuple[int, Item]]) -> None:
        with self._lock:
            for index, item in found:
                self._items[index] = item
                self._missing -= 1
            following = self._alone.pop(0) if self._alone else None
            is_answered = not (self._missing or self._is_over or self.content is not None)
            whole = [item for item in self._items if item is not None] if is_answered else []
            if is_answered:
                self._items = []
        if following is not None:
            self.begin_at([following])
        if is_answered:
            self._answer(whole)

    def _answer(self, whole: Sequence[Item]) -> None:
        with self._embedder.metrics.phase("serialise"):
            self.content = encode_items(whole, self._version or self._embedder.model.config.version)
        self._listener.done(self)
