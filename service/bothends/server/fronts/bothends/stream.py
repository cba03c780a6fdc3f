"""EmbedStream of bothends.v1: answers each message as soon as there is room, and lets it wait until then.

message.py answers one message. waiting.py keeps messages that wait for room in the queue or for their key's quota,
where a unary Embed would be refused. The transport reads messages and sends the responses in order. With the native
transport, plain messages of callers without a quota never reach this module: C++ answers them with the same bytes.
"""

import threading
from functools import partial

from google.rpc import status_pb2

from ....core.loaded import LoadedModel
from ....errors import BothendsError, DrainingError, OverloadedError, QuotaError
from ....v1 import embedding_pb2
from ....wire.messages import SERVICE, encode_items
from ...context import CallContext
from ...dispatch import protobuf
from ...grpc.calls.rpc_routes import RpcRoutes
from ...grpc.calls.source import Route
from ...responder import Responders
from ...timer import Timer
from .codec import embed_stream_codec
from .message import StreamMessage
from .waiting import WaitingMessages


class EmbedStreams:
    """EmbedStream over all models, and the messages that wait for room or for their key's quota."""

    def __init__(self, responders: Responders) -> None:
        """Embed by the embedders of `responders`."""
        self._responders = responders
        self._timer = Timer("bothends-streams")
        self.waiting = WaitingMessages(self._timer, self._begin)
        """Messages that are to be tried again."""
        self._lock = threading.Lock()
        self._is_draining = False

    def route(self, rpc: RpcRoutes) -> Route:
        """Make the route of the method's messages."""
        most = self._responders.default.embedder.limits.sentences
        parse = protobuf(embedding_pb2.EmbedStreamRequest, max_sentences=most)
        route = partial(rpc.route, is_stream=True, create_codec=embed_stream_codec, streams=self)
        return route(SERVICE, "EmbedStream", parse, self.embed)

    def embed(self, request: embedding_pb2.EmbedStreamRequest, context: CallContext) -> None:
        """Embed the message's sentences, each of which has a status of its own."""
        embedder = self._responders.find(request.model).embedder
        message = StreamMessage(request, embedder=embedder, context=context, listener=self)
        if self.waiting.is_for_share(context.payer):
            self._wait(message, None, is_for_share=True)
            return
        self._begin(message)

    def done(self, message: StreamMessage) -> None:
        """Send the response of `message`."""
        message.close()
        if message.content is not None:
            message.context.send(message.content)

    def full(self, message: StreamMessage, error: OverloadedError) -> None:
        """Try `message` again later. Fails it if its quota won't allow it soon, or if the server stops before then."""
        self._wait(message, error.retry_after_s, is_for_share=isinstance(error, QuotaError))

    def failed(self, message: StreamMessage, error: BothendsError) -> None:
        """End the message's stream with `error`, after the earlier messages are answered."""
        message.close(unserved=True)
        message.context.fail(error)

    def drain(self) -> None:
        """Fail all messages that wait for room, now and from now on: none of them was accepted."""
        with self._lock:
            self._is_draining = True
            waiting = self.waiting.take_all_messages()
        for message in waiting:
            self._stop(message)

    def close(self) -> None:
        """Stop trying messages again."""
        self._timer.close()

    @staticmethod
    def write_failed(status: status_pb2.Status, sentences: int, model: LoadedModel) -> bytes:
        """Return the response to a message of `sentences` sentences after a run of `model` failed that can't be
        repeated: the error `status` for each sentence.
        """
        return encode_items([status] * sentences, model.config.version)

    def _wait(self, message: StreamMessage, rest_s: float | None, *, is_for_share: bool) -> None:
        with self._lock:
            is_draining = self._is_draining
            refused = [] if is_draining else self.waiting.put(message, rest_s, is_for_share=is_for_share)
        for other, error in refused:
            self.failed(other, error)
        if is_draining:
            self._stop(message)

    @staticmethod
    def _begin(message: StreamMessage) -> None:
        message.context.cancels(message)
        message.begin()

    def _stop(self, message: StreamMessage) -> None:
        self.failed(message, DrainingError("the server is stopping"))
