"""Answers small requests that came together as one batch, without an object for each call.

What is neither small nor plain, or goes wrong, is handed over alone, as every call of other methods is.
"""

import logging
import time
from collections.abc import Callable, Container, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from google.protobuf.message import DecodeError
from google.rpc import code_pb2

from ....core.embedder import Embedder
from ....core.inputs import SHORT_BYTES, Sentences
from ....core.query import AcceptedRequest, Rows
from ....embeddings import Write
from ....errors import BothendsError
from ....observe import tracing
from ....observe.metrics import Metrics
from ....observe.unforeseen import error_site
from ....options import Options
from ...inbound import code_of_leaving
from ...keys import Keys
from ..contract import Message

_log = logging.getLogger(__name__)


class SmallRequest(NamedTuple):
    """A request that can be embedded with others to the same embedder, and what writes its answer."""

    embedder: Embedder
    sentences: Sentences
    options: Options
    write: Write


Read: TypeAlias = Callable[[bytes], SmallRequest | None]
"""Function from a request's bytes to what is asked for, or None, or an error, where it has to be looked at alone."""


class Holder(Protocol):
    """The interface of `Calls` to whoever answers messages together."""

    def hold(self, ids: Sequence[int], by: "SmallBatch") -> None:
        """Take note that `by` is to be told which of these are over before they are answered."""
        ...

    def release(self, ids: Iterable[int]) -> frozenset[int]:
        """Hold messages no more; returns the ids of those that were held, and aren't over."""
        ...

    def answer_all(self, ids: Sequence[int], contents: Sequence[bytes]) -> None:
        """Send responses; those of messages that are over are dropped."""

    def begin_alone(self, message: Message) -> None:
        """Begin a message by itself."""
        ...


class SmallRequests:
    """Handler of a method's small requests, by the batch."""

    def __init__(
        self,
        name: str,
        read: Read,
        metrics: Metrics,
        keys: Keys | None,
        tells_of_each: Callable[[], bool],
    ) -> None:
        """Take small requests, unless each call is told of. `name` is the method's in metrics."""
        self._tells_of_each = tells_of_each
        self.name = name
        self.metrics = metrics
        self._read = read
        self._keys = keys

    def begin(self, messages: Sequence[Message], holder: Holder) -> Sequence[Message]:
        """Embed those of `messages` that can be embedded together; returns the others."""
        if self._tells_of_each():
            return messages
        together: dict[Embedder, list[tuple[Message, SmallRequest]]] = {}
        for message in messages:
            if (request := self._asked(message)) is not None:
                together.setdefault(request.embedder, []).append((message, request))
        begun = {message_id for embedder, of in together.items() for message_id in self._begin(embedder, of, holder)}
        return [message for message in messages if message.id not in begun] if begun else messages

    def _begin(
        self, embedder: Embedder, asked: Sequence[tuple[Message, SmallRequest]], holder: Holder
    ) -> Sequence[int]:
        """Embed those that can be embedded together; returns their messages' ids."""
        try:
            found, rows = embedder.begin_together([(request.sentences, request.options) for _, request in asked])
        except BothendsError:
            return ()
        if rows is None:
            return ()
        batch = SmallBatch(self, embedder, holder)
        for (message, request), known in zip(asked, found, strict=True):
            if known is not None:
                batch.members.append((message, request.write, known))
        ids = [message.id for message, _, _ in batch.members]
        holder.hold(ids, batch)
        rows.add_done_callback(batch.finish)
        return ids

    def _asked(self, message: Message) -> SmallRequest | None:
        if len(message.content) > SHORT_BYTES:
            return None
        try:
            if self._keys is not None and self._keys.account_of(message.key).limits.is_set:
                return None  # its share is counted by the call
            return self._read(message.content)
        except (BothendsError, DecodeError):
            return None


class SmallBatch:
    """Small requests to one embedder that run as one batch."""

    def __init__(self, of: SmallRequests, embedder: Embedder, holder: Holder) -> None:
        self.members: list[tuple[Message, Write, AcceptedRequest]] = []
        self._of = of
        self._embedder = embedder
        self._holder = holder

    def finish(self, rows: Rows) -> None:
        """Answer all that still wait, by the thread that had the last row."""
        try:
            self._answer(rows)
        except Exception as error:
            _log.error("small requests couldn't be answered together: %s", error_site(error))
            self._begin_alone([message for message, _, _ in self.members])

    def leave(self, message_id: int) -> None:
        """Count a message that is over before it was answered."""
        message = next(message for message, _, _ in self.members if message.id == message_id)
        code, seconds = code_of_leaving(message.deadline, message.arrived), time.monotonic() - message.arrived
        self._of.metrics.answered(self._of.name, code_pb2.Code.Name(code), seconds)

    def _answer(self, rows: Rows) -> None:
        if rows.exception() is not None:  # of whose sentence, each will learn alone
            self._begin_alone([message for message, _, _ in self.members])
            return
        found, start = rows.result(), 0
        contents: dict[int, bytes] = {}
        alone = []
        with self._embedder.metrics.phase("serialise"):
            for message, write, accepted in self.members:
                end = start + len(accepted.token_counts)
                try:
                    contents[message.id] = write(self._embedder.finish(accepted, found[start:end]))
                except BothendsError:
                    alone.append(message)
                start = end
        held = self._holder.release(contents)
        try:
            self._count(held)  # who has an answer finds it counted
        finally:
            self._holder.answer_all(list(contents), list(contents.values()))
        self._begin_alone(alone)

    def _count(self, sent: Container[int]) -> None:
        metrics, name, now = self._of.metrics, self._of.name, time.monotonic()
        seconds = []
        for message, _, _ in self.members:
            if message.id not in sent:
                continue
            if message.metadata and (trace_id := tracing.callers_trace_id(message.metadata)):
                metrics.answered(name, "OK", now - message.arrived, trace_id=trace_id)
            else:
                seconds.append(now - message.arrived)
        metrics.answered_all(name, "OK", seconds, path="python")

    def _begin_alone(self, messages: Sequence[Message]) -> None:
        held = self._holder.release(message.id for message in messages)  # the others are answered, or over
        for message in messages:
            if message.id in held:
                self._holder.begin_alone(message)
