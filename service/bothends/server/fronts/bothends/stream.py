"""bothends.v1.EmbedStream: each message to its response, as fast as there is room. One message is message.py's.

A message for which there is no room is tried again, where Embed would be refused. Knows no stream: the front reads
messages on, and sends their responses in their order.
"""

import threading
from collections.abc import Callable, Mapping

from ....errors import BothendsError, DrainingError, OverloadedError
from ....observe.metrics import Metrics
from ....observe.tracing import Method
from ....v1 import embedding_pb2
from ....wire.messages import SERVICE
from ...context import CallContext
from ...dispatch import Dispatcher, protobuf
from ...inbound import Inbound
from ...responder import Responder
from ...timer import Timer
from .message import Message


class EmbedStreams:
    """The method over one embedder, and the messages that wait for room."""

    def __init__(self, responder: Responder, metrics: Metrics) -> None:
        self.responder = responder
        self.metrics = metrics
        self._timer = Timer("bothends-streams")
        self._lock = threading.Lock()
        self.waiting: set[_Attempt] = set()
        """Messages that are to be tried again."""
        self._is_draining = False

    def methods(self, dispatcher: Dispatcher) -> Mapping[str, Callable[[Inbound], None]]:
        """Make the handler of the method's messages, by its full name."""
        method = Method.rpc(SERVICE, "EmbedStream")
        parse = protobuf(embedding_pb2.EmbedStreamRequest)
        return {f"/{SERVICE}/EmbedStream": dispatcher.handler(method, parse, self.embed, in_stream=True)}

    def embed(self, request: embedding_pb2.EmbedStreamRequest, context: CallContext) -> None:
        """Embed the message's sentences, each of which has a status of its own."""
        _Attempt(self, request, context).begin()

    def later(self, attempt: "_Attempt", seconds: float) -> None:
        """Try a message again after so many seconds; fail it if the server stops before."""
        with self._lock:
            goes_on = not self._is_draining
            if goes_on and attempt not in self.waiting:
                self.waiting.add(attempt)
                self._timer.later(seconds, attempt.try_again)
        if not goes_on:
            attempt.stop()

    def forget(self, attempt: "_Attempt") -> None:
        """Take note that a message doesn't wait for its time any more."""
        with self._lock:
            self.waiting.discard(attempt)

    def drain(self) -> None:
        """Fail what waits for room, now and later: it was never accepted."""
        with self._lock:
            self._is_draining = True
            waiting = list(self.waiting)
        for attempt in waiting:
            attempt.stop()

    def close(self) -> None:
        """Try no message again."""
        self._timer.close()


class _Attempt:
    """A message's way to its response: the `Listener` to what becomes of it."""

    def __init__(self, streams: EmbedStreams, request: embedding_pb2.EmbedStreamRequest, context: CallContext) -> None:
        self._streams = streams
        self._context = context
        self._message = Message(
            request,
            embedder=streams.responder.embedder,
            metrics=streams.metrics,
            context=context,
            listener=self,
        )

    def begin(self) -> None:
        """Embed all sentences."""
        self._context.cancels(self)
        self._streams.responder.submit(self._message.begin, self._message.sentences)

    def try_again(self) -> None:
        """Embed the sentences for which there was no room."""
        self._streams.forget(self)
        self._streams.responder.submit(self._message.try_again, self._message.sentences)

    def stop(self) -> None:
        """Fail, as the server stops."""
        self.failed(self._message, DrainingError("the server is stopping"))

    def cancel(self) -> None:
        """Give back what the message holds: its caller has left, or it has failed."""
        self._streams.forget(self)
        self._message.close()

    def done(self) -> None:
        """Send the response."""
        content = self._message.content
        self._message.close()
        if content is not None:
            self._context.send(content)

    def full(self, error: OverloadedError) -> None:
        """Try again, after a while."""
        self._streams.later(self, error.retry_after_s)

    def failed(self, message: Message, error: BothendsError) -> None:
        """End the stream with `error`, once what came before is answered."""
        message.close(unserved=True)
        self._context.fail(error)
