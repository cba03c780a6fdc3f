"""bothends.v1.EmbeddingService.EmbedStream: messages to responses, in order, as fast as their caller reads.

A stream is read on only while few of its messages are on their way: read, and not yet on the wire. So a caller that
reads slowly is read slowly, and fills no memory. No thread waits for any of them. One message is message.py's.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

from ....errors import BothendsError, DrainingError, OverloadedError
from ....observe.metrics import Metrics
from ....observe.tracing import Method
from ....v1 import embedding_pb2
from ....wire.messages import SERVICE
from ...context import CallContext
from ...dispatch import Dispatcher, protobuf
from ...grpc.streaming import Stream
from ...responder import Responder
from ...timer import Timer
from .message import Message

_MESSAGES, _SENTENCES, _BYTES = 32, 256, 1 << 20
"""Bounds on what of one stream is on its way: no message more is read beyond. Enough for full batches."""
_RETRY_S = 0.1  # after which a stream that was turned away for its caller's silence may come again
_SILENT = "the stream's caller sent or read nothing for {:g} s, and its place was needed"
_parse = protobuf(embedding_pb2.EmbedStreamRequest)


class EmbedStreams:
    """The method over one embedder, and the streams that are open."""

    def __init__(self, responder: Responder, metrics: Metrics) -> None:
        self.responder = responder
        self.metrics = metrics
        self.timer = Timer("bothends-streams")
        self._lock = threading.Lock()
        self.sessions: set[_Session] = set()  # streams that are open
        self._is_draining = False

    def methods(self, dispatcher: Dispatcher) -> Mapping[str, Callable[[Stream], None]]:
        """Make the method's handler, by its full name."""

        def begin(stream: Stream, context: CallContext) -> None:
            session = _Session(self, dispatcher, stream, context)
            with self._lock:
                self.sessions.add(session)
            session.begin()
            if self._is_draining:
                session.drain()

        return {f"/{SERVICE}/EmbedStream": dispatcher.stream(Method.rpc(SERVICE, "EmbedStream"), begin)}

    def forget(self, session: "_Session") -> None:
        """Take note that `session` is over."""
        with self._lock:
            self.sessions.discard(session)

    def drain(self) -> None:
        """Read nothing more, and end each stream once what was accepted of it is answered."""
        with self._lock:
            self._is_draining = True
            sessions = list(self.sessions)
        for session in sessions:
            session.drain()

    def close(self) -> None:
        """Try no message again."""
        self.timer.close()


class _Session:
    """One open stream. Any thread that has something new for it makes it advance."""

    def __init__(self, streams: EmbedStreams, dispatcher: Dispatcher, stream: Stream, context: CallContext) -> None:
        self._streams = streams
        self._dispatcher = dispatcher
        self._stream = stream
        self._context = context
        self._lock = threading.RLock()
        self.window: deque[Message] = deque()  # read, and not yet on the wire
        self._is_reading = self._is_sending = self._is_beginning = self._is_timed = False
        self._has_ended = self._is_over = False
        self._error: BothendsError | None = None  # that ends it once the window is empty

    def begin(self) -> None:
        """Ask for the first message."""
        self._context.cancels(self)
        self._advance()

    def cancel(self) -> None:
        """End: the caller has left, or got another answer."""
        with self._lock:
            self._be_over()
            self._drop(len(self.window))

    def drain(self) -> None:
        """End once what was accepted is answered."""
        with self._lock:
            waiting = next((message for message in self.window if message.is_waiting), None)
            self.failed(waiting, DrainingError("the server is stopping"))

    def done(self) -> None:
        """Advance, as a message has its content."""
        self._advance()

    def full(self, error: OverloadedError) -> None:
        """Try a message again: when one of this stream's own is done, or after a while."""
        with self._lock:
            if isinstance(self._error, DrainingError):
                self.drain()
            elif not self._is_timed:
                self._is_timed = True
                self._streams.timer.later(error.retry_after_s, self._try_in_time)

    def failed(self, message: Message | None, error: BothendsError) -> None:
        """End with `error` once all before `message` is answered; None for all that was read."""
        with self._lock:
            if message is None:
                self._error = self._error or error
            elif message in self.window:  # else it was dropped
                self._error = error
                self._drop(len(self.window) - self.window.index(message))
        self._advance()

    def _drop(self, messages: int) -> None:
        """Drop the last so many of the window: they will not be answered."""
        for _ in range(messages):
            self.window.pop().close(unserved=self._error is not None)

    def _advance(self) -> None:
        """Send what is ready, end what is at its end, ask for more: whichever can be done now."""
        with self._context.guarding(), self._lock:
            if self._is_over:
                return
            if not self._is_sending:
                self._send()
            if not (self._is_over or self._is_reading or self._is_beginning or self._has_ended or self._error):
                self._ask()

    def _send(self) -> None:
        """Send the first message's response, if it is ready, or end."""
        first = self.window[0] if self.window else None
        if first is None:
            self._end()
        elif first.content is not None and self._has_ended and len(self.window) == 1 and self._error is None:
            self._be_over()
            first.close()
            self._context.send(first.content)
        elif first.content is not None:
            self._is_sending = True
            self._await_caller()
            first.close()
            self._stream.send(first.content, self._sent)

    def _end(self) -> None:
        if self._error is not None:
            self._be_over()
            self._context.fail(self._error)
        elif self._has_ended:
            self._be_over()
            self._context.end(self._stream.end)

    def _ask(self) -> None:
        """Ask for one message more, if there is room for it."""
        window = self.window
        if (
            len(window) < _MESSAGES
            and sum(len(message.sentences) for message in window) < _SENTENCES
            and sum(message.size for message in window) < _BYTES
            and not any(message.is_waiting for message in window)
        ):
            self._is_reading = True
            self._stream.read(self._came)
            if not self.window:
                self._await_caller()

    def _await_caller(self) -> None:
        """Give its place to another call that needs one, if its caller has neither read nor sent for long."""
        slow_callers = self._dispatcher.slow_callers
        if self._is_sending or (self._is_reading and not self.window):
            reason = _SILENT.format(slow_callers.max_wait_s)
            slow_callers.add(self._context, OverloadedError(reason, retry_after_s=_RETRY_S))
        else:
            slow_callers.remove(self._context)

    def _came(self, content: bytes | None) -> None:
        """Take the next message, or None after the last."""
        with self._context.guarding():
            try:
                message = None if content is None else self._parsed(content)
            except BothendsError as error:
                self.failed(None, error)
                return
            with self._lock:
                self._is_reading = False
                if not self._is_sending:
                    self._await_caller()
                if self._is_over or self._error is not None:
                    return  # meanwhile nothing more was to be read
                if message is None:
                    self._has_ended = True
                else:
                    self.window.append(message)
                    self._is_beginning = True
            if message is not None:
                self._streams.responder.submit(partial(self._start, message), message.sentences)
            self._advance()

    def _parsed(self, content: bytes) -> Message:
        self._dispatcher.identify(self._stream)  # a key may be withdrawn while its stream is open
        embedder, metrics = self._streams.responder.embedder, self._streams.metrics
        size, request = len(content), _parse(content)
        return Message(request, size, embedder=embedder, metrics=metrics, context=self._context, listener=self)

    def _start(self, message: Message) -> None:
        """Begin `message`, and read no other until its text is tokenised."""
        message.begin()
        with self._lock:
            self._is_beginning = False
        self._advance()

    def _sent(self) -> None:
        """Go on, as the first of the window is on the wire, or its caller has gone."""
        with self._lock:
            self._is_sending = False
            if self._is_over:
                return
            self.window.popleft()
            self._await_caller()
        self._try_again()
        self._advance()

    def _try_in_time(self) -> None:
        with self._lock:
            self._is_timed = False
        self._try_again()
        self._advance()

    def _try_again(self) -> None:
        with self._lock:
            waiting = [message for message in self.window if message.is_waiting]
        for message in waiting:
            self._streams.responder.submit(message.try_again, message.sentences)

    def _be_over(self) -> None:
        self._is_over = True
        self._dispatcher.slow_callers.remove(self._context)
        self._streams.forget(self)
