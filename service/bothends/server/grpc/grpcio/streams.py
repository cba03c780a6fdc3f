"""Streams on grpcio's event loop: messages are read within a window, handed over, and answered in order."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from time import monotonic
from typing import cast

import grpc
import grpc.aio

from ..contract import Reason, Status
from .call_registry import CallRegistry, Context, Outcome, Pending
from .peers import network_of

_STREAMS_A_CALL = 8
"""Number of streams that may be open for each unary call that may be, since most of them are idle."""
_UNMETERED_OF_ONE = 64
"""Streams that take no place, and ask for no key, of one network's at once."""
_MAX_BYTES = 64 << 20
"""Bound on what all windows hold together: none is read on beyond."""
_MAX_AHEAD = 256
"""Messages of one connection's streams: beyond them each stream has one at a time."""
_LOOK_S = 0.05
"""Seconds after which a stream that isn't read, for lack of room in the whole server, is checked again."""
_WINDOW_MESSAGES, _WINDOW_SENTENCES, _WINDOW_BYTES = 32, 256, 1 << 20
"""Bounds on what of one stream is read and not yet sent: enough for full batches. The native transport has the same."""
_MESSAGE_BYTES = 4096
"""Bytes that a message holds besides its own: its future, and what Python keeps of its call."""
_OK = Status(0, "", b"")


class Streams:
    """Open streams. An idle stream, whose caller neither sends nor reads, is ended after some time if others need its
    slot.
    """

    def __init__(self, registry: CallRegistry) -> None:
        self.registry = registry
        self.bytes = 0
        """Bytes that all windows hold."""
        self.messages: Counter[str] = Counter()
        """Number of messages in the windows of each connection."""
        self._open: set[_Stream] = set()
        self._unmetered: Counter[bytes] = Counter()

    def handler(self, method: int, *, is_metered: bool) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Make grpcio's handler of a streaming method."""

        async def call(_: object, context: Context) -> None:
            began = self.registry.last_begun = self.registry.begin(context)
            if (reason := self._reason_against(context, is_metered=is_metered)) is not None:
                await self.registry.refuse(method, began, context, reason)
            stream = _Stream(self, method, context, began, is_metered=is_metered)
            self._open.add(stream)
            with self._counted(context, is_metered=is_metered):
                try:
                    await stream.serve()
                finally:
                    self._open.discard(stream)

        return grpc.stream_stream_rpc_method_handler(call)

    def _reason_against(self, context: Context, *, is_metered: bool) -> Reason | None:
        if is_metered and (reason := self.registry.reason_against_key(context)) is not None:
            return reason
        if not is_metered and self._unmetered[network_of(context.peer())] >= _UNMETERED_OF_ONE:
            return Reason.full
        if self.registry.is_draining:
            return Reason.draining
        if len(self._open) >= _STREAMS_A_CALL * self.registry.settings.max_concurrent_requests and not self.evict_one():
            return Reason.full
        return None

    @contextmanager
    def _counted(self, context: Context, *, is_metered: bool) -> Iterator[None]:
        """Count a stream that takes no place for its network."""
        caller = b"" if is_metered else network_of(context.peer())
        self._unmetered[caller] += not is_metered
        try:
            yield
        finally:
            self._unmetered[caller] -= not is_metered
            self._unmetered += Counter()  # only those that have some

    def drain(self) -> None:
        """Stop reading, and end each stream after the messages that were read are answered.

        Streams without a slot aren't waited for: their callers may never read the answer.
        """
        for stream in self._open:
            stream.end(self.registry.status(Reason.draining), Reason.draining)
            if not stream.is_metered:
                self.registry.owe_nothing(stream.context)

    def count(self, connection: str, messages: int, size: int) -> None:
        """Count messages and bytes that were read ahead and aren't answered yet (negative: that were answered).

        It isn't HTTP/2's window.
        """
        self.bytes += size
        self.messages[connection] += messages
        if not self.messages[connection]:
            del self.messages[connection]

    def is_full(self) -> bool:
        """Return True if the windows of all streams together are full, so that none may grow."""
        return self.bytes >= _MAX_BYTES

    async def room(self) -> None:
        """Wait until windows may grow again."""
        while self.is_full():
            self.evict_one()
            await asyncio.sleep(_LOOK_S)

    def evict_one(self) -> bool:
        """End the stream that has been idle for longest, if it has been idle too long; returns True if one was
        ended.
        """
        silent = min(self._open, key=lambda stream: stream.silent_since, default=None)
        if silent is None or monotonic() - silent.silent_since < self.registry.settings.caller_timeout_s:
            return False
        silent.evict()
        self._open.discard(silent)
        return True


class _Stream:
    """One open stream: a task reads, the call's own writes."""

    def __init__(self, streams: Streams, method: int, context: Context, began: float, *, is_metered: bool) -> None:
        self._streams = streams
        self._registry = streams.registry
        self._method = method
        self.is_metered = is_metered
        self.context = context
        self._connection = context.peer()
        self._began = began
        self._window: deque[_Item] = deque()  # read, and not yet on the wire
        self._changed = asyncio.Event()
        self._end: Status | None = None  # once the window is empty
        self._reason: Reason | None = None  # of an end that nobody else asked for
        self._is_evicted = False
        self.silent_since = began
        """Time since when the caller should have sent or read something; infinite while an answer is waited for."""

    async def serve(self) -> None:
        """Read messages and write answers until the stream ends."""
        registry = self._registry
        self._task = cast("asyncio.Task[None]", asyncio.current_task())
        self._reader = asyncio.get_running_loop().create_task(self._read_on())
        try:
            end = await self._write_on()
        except asyncio.CancelledError:
            if not self._is_evicted:
                registry.record_left(self._method, self._began, self.context)
                raise
            self._task.uncancel()
            await registry.refuse(self._method, self._began, self.context, Reason.unread)
        finally:
            self._reader.cancel()
            self._drop_after(0)
        registry.record(self._method, self._began, end[0], self._reason)
        if end is not _OK:
            await registry.abort(self.context, end)

    def end(self, status: Status, reason: Reason | None = None) -> None:
        """Stop reading, and end with `status` after the messages that were read are answered.

        Only the first call counts.
        """
        if self._end is None:
            self._end, self._reason = status, reason
        self._reader.cancel()
        self._changed.set()

    def evict(self) -> None:
        """End at once, because another stream needs the slot."""
        self._is_evicted = True
        self._task.cancel()

    async def _read_on(self) -> None:
        while True:
            while self._is_full():
                self._changed.clear()
                await self._changed.wait()
            if self._streams.is_full():
                await self._streams.room()
                self.silent_since = min(self.silent_since, monotonic())
            content = await self._registry.read(self.context)
            if content is None:
                self.end(_OK)
                return
            self._hand_over(content)

    def _hand_over(self, content: bytes) -> None:
        arrived, is_metered = monotonic(), self.is_metered
        item = _Item(self._registry.hand_over(self._method, content, self.context, arrived, is_metered=is_metered))
        self._window.append(item)
        self._streams.count(self._connection, 1, item.bytes)
        item.pending.outcome.add_done_callback(partial(self._answered, item))
        self._changed.set()

    async def _write_on(self) -> Status:
        """Write each answer in its turn; returns how the stream ends."""
        while True:
            while not self._window:
                if self._end is not None:
                    return self._end
                self._changed.clear()
                await self._changed.wait()
            self.silent_since = inf
            outcome = await self._window[0].pending.outcome
            if not isinstance(outcome, bytes):
                self._reason = None
                return outcome
            self.silent_since = monotonic()
            try:
                await self.context.write(outcome)
            except grpc.aio.InternalError:
                raise asyncio.CancelledError from None  # its caller has left in this very moment
            self._streams.count(self._connection, -1, -self._window.popleft().bytes)
            self.silent_since = monotonic()
            self._changed.set()

    def _is_full(self) -> bool:
        window = self._window
        if window and self._streams.messages[self._connection] >= _MAX_AHEAD:
            return True
        return (
            len(window) >= _WINDOW_MESSAGES
            or sum(item.sentences for item in window) >= _WINDOW_SENTENCES
            or sum(item.bytes for item in window) >= _WINDOW_BYTES
        )

    def _answered(self, item: "_Item", outcome: "asyncio.Future[Outcome]") -> None:
        """Count an answer in its message's place; read on no more after one that failed, nor answer those after it."""
        if outcome.cancelled() or item not in self._window:
            return
        if isinstance(found := outcome.result(), bytes):
            self._streams.bytes += item.answered(found)
        else:
            self.end(found)
            self._drop_after(self._window.index(item) + 1)

    def _drop_after(self, kept: int) -> None:
        """Drop the window's messages except the first `kept`."""
        while len(self._window) > kept:
            item = self._window.pop()
            self._streams.count(self._connection, -1, -item.bytes)
            self._registry.give_up(item.pending)


class _Item:
    """A message of a stream's window: it was handed over, and isn't on the wire yet."""

    __slots__ = ("bytes", "pending", "sentences")

    def __init__(self, pending: Pending) -> None:
        content = pending.message.content
        self.pending = pending
        self.bytes = _MESSAGE_BYTES + len(content)
        """Bytes that the message holds, then its answer."""
        self.sentences = content.count(b"\n")  # the byte before each of a message's strings; a few more do no harm

    def answered(self, content: bytes) -> int:
        """Store the answer in place of the message; returns the change in bytes held."""
        before, self.bytes = self.bytes, _MESSAGE_BYTES + len(content)
        return self.bytes - before
