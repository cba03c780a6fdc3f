"""Sentences to NumPy rows through a server: chunk, send, decode, and raise the same errors that the server raised.

Needs grpcio, protobuf and numpy only.
"""

import time
import warnings
from collections import deque
from collections.abc import Sequence
from typing import Self

import grpc
import numpy as np
from google.rpc import status_pb2
from grpc_status import rpc_status
from numpy.typing import NDArray

from .chunks import chunks
from .embeddings import Embeddings
from .errors import BothendsError, ConnectionFailedError, DeadlineError, OverloadedError, RequestError, SentenceError
from .status import from_status
from .v1 import embedding_pb2, embedding_pb2_grpc
from .wire import decode

_CHUNK_SENTENCES = 128
_CHUNK_BYTES = 1 << 20
_IN_FLIGHT = 2  # one is computed while the next one waits; more would only fill the server's queue
_LONGEST_S = 1e6  # gRPC takes a deadline much further off for one that has passed


class TruncationWarning(UserWarning):
    """Some sentences were longer than the model reads; only their first tokens count."""


class Client:
    """A connection to one server, safe to share between threads. Close it, or use it in `with`."""

    def __init__(self, target: str = "127.0.0.1:50051", *, timeout_s: float = 30.0) -> None:
        """Connect to `target` (host:port) when first used. `timeout_s` bounds each call unless it says otherwise."""
        self.target = target
        self.timeout_s = timeout_s
        self._channel = grpc.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)])
        self._stub = embedding_pb2_grpc.EmbeddingServiceStub(self._channel)
        self._embed: grpc.UnaryUnaryMultiCallable[embedding_pb2.EmbedRequest, bytes] = (
            self._channel.unary_unary(  # the stub's Embed, but for the answer, which is left as bytes
                "/bothends.v1.EmbeddingService/Embed",
                request_serializer=embedding_pb2.EmbedRequest.SerializeToString,
                response_deserializer=None,
            )
        )
        self._model: embedding_pb2.Model | None = None

    def embed(self, sentences: Sequence[str], *, timeout_s: float | None = None) -> NDArray[np.float32]:
        """Embeddings of `sentences`, float32 [sentences, dimension], in order; not normalised.

        Any number of sentences: they are sent in several requests where one won't do. Warns with TruncationWarning
        where a sentence was cut. Raises SentenceError (its `index` counts in `sentences`), RequestError,
        OverloadedError, DrainingError, DeadlineError, EngineError or ConnectionFailedError.
        """
        found = self.embed_details(sentences, timeout_s=timeout_s)
        if cut := sum(found.truncated):
            warnings.warn(
                f"{cut} of {len(sentences)} sentences are longer than the model reads and were cut; "
                "embed_details() says which",
                TruncationWarning,
                stacklevel=2,
            )
        return found.rows

    def embed_details(self, sentences: Sequence[str], *, timeout_s: float | None = None) -> Embeddings:
        """As `embed`, with the tokens read of each sentence, which were cut, and the model's version."""
        if isinstance(sentences, str):
            raise TypeError("pass a list of sentences, not one string")
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        sizes = [_encoded_size(index, sentence) for index, sentence in enumerate(sentences)]
        most, most_bytes = self._chunk_limits(deadline) if len(sentences) > 1 else (1, _CHUNK_BYTES)
        waiting: deque[tuple[int, grpc.Future[bytes]]] = deque()
        responses: list[bytes] = []
        try:
            for start, stop in chunks(sizes, most=most, most_size=most_bytes):
                if len(waiting) == _IN_FLIGHT:
                    responses.append(self._result(*waiting.popleft()))
                request = embedding_pb2.EmbedRequest(sentences=sentences[start:stop])
                waiting.append((start, self._embed.future(request, timeout=_remaining(deadline))))
            while waiting:
                responses.append(self._result(*waiting.popleft()))
        finally:
            for _, call in waiting:  # one failed: nobody wants the others
                call.cancel()
        return decode(responses)

    def model(self, *, timeout_s: float | None = None) -> embedding_pb2.Model:
        """The model that the server serves, and its limits."""
        try:
            response: embedding_pb2.GetModelResponse = self._stub.GetModel(
                embedding_pb2.GetModelRequest(),
                timeout=min(self.timeout_s if timeout_s is None else timeout_s, _LONGEST_S),
            )
        except grpc.RpcError as error:
            raise self._error(error) from error
        return response.model

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _chunk_limits(self, deadline: float) -> tuple[int, int]:
        """Sentences and bytes of a chunk: what is sensible, or less where the server takes less."""
        if self._model is None:
            self._model = self.model(timeout_s=_remaining(deadline))
        # Each sentence has a few bytes around it, and a chunk of one is sent whatever its size.
        return min(_CHUNK_SENTENCES, self._model.max_sentences), min(_CHUNK_BYTES, self._model.max_message_bytes // 2)

    def _result(self, offset: int, call: "grpc.Future[bytes]") -> bytes:
        try:
            response: bytes = call.result()
        except grpc.RpcError as raised:
            error = self._error(raised)
            if isinstance(error, SentenceError):
                error = SentenceError(offset + error.index, error.reason)
            raise error from raised
        return response

    def _error(self, raised: grpc.RpcError) -> BothendsError:
        status = rpc_status.from_call(raised)
        if status is None:  # raised by gRPC itself, not by a bothends server
            status = status_pb2.Status(code=raised.code().value[0], message=raised.details() or "")
            if "larger than max" in status.message:  # gRPC says RESOURCE_EXHAUSTED, but trying again won't help
                return RequestError(f"the request is too large for {self.target}: {status.message}")
            if raised.code() is grpc.StatusCode.CANCELLED:  # not by us: gRPC drops what an overloaded server can't take
                return OverloadedError(f"{self.target} is overloaded and dropped the call", retry_after_s=1.0)
        error = from_status(status)
        if isinstance(error, ConnectionFailedError):
            return ConnectionFailedError(f"no bothends server answers at {self.target}: {status.message}")
        return error


def _encoded_size(index: int, sentence: str) -> int:
    try:
        return len(sentence.encode())
    except UnicodeEncodeError as error:
        raise SentenceError(index, f"is no valid Unicode: {error.reason} at character {error.start}") from None


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise DeadlineError("the deadline passed before everything was sent")
    return min(remaining, _LONGEST_S)
