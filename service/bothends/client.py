"""Sentences to NumPy rows through servers, for threads: a call blocks until it is answered.

All that isn't sending and waiting stands in caller.py. Needs grpcio, protobuf and numpy only.
"""

import time
from collections.abc import Sequence
from typing import Any, Self, Unpack

import grpc
from google.protobuf.message import Message
from numpy.typing import NDArray

from .caller import Caller, Method, run_blocking
from .channel import TLS, Endpoint, Target
from .embeddings import Embeddings, rows_or_warning
from .options import Asked
from .retry import DEFAULT_RETRY, Retry
from .v1 import embedding_pb2


class Client:
    """A connection to one server or several, safe to share between threads. Close it, or use it in `with`."""

    def __init__(
        self,
        target: Target = "127.0.0.1:50051",
        *,
        timeout_s: float = 30.0,
        api_key: str | None = None,
        tls: TLS | bool = False,
        retry: Retry = DEFAULT_RETRY,
        watch_health: bool | None = None,
    ) -> None:
        """Connect to `target` when first used: host:port, or several IP addresses with ports, which take turns.

        `timeout_s` bounds each call, retries included, unless the call says otherwise. `api_key` goes with each call.
        `tls` is True, or says which files. `watch_health` leaves out servers that say NOT_SERVING; without a word that
        is so where several are given. (Behind a balancer that splits calls, one server would speak for all.)
        Raises SettingsError for what can't work. Warns with InsecureKeyWarning where the key could be overheard.
        """
        endpoint = Endpoint.of(target, tls=tls, api_key=api_key, watch_health=watch_health)
        self.target = endpoint.name
        self.timeout_s = timeout_s
        self._transport = Blocking(endpoint)
        self._caller = Caller(self._transport, name=endpoint.name, retry=retry, timeout_s=timeout_s)

    def encode(
        self, sentences: Sequence[str] | str, *, timeout_s: float | None = None, **asked: Unpack[Asked]
    ) -> NDArray[Any]:
        """Embeddings of `sentences`, float32 [sentences, dimension], in order; of one string, float32 [dimension].

        `asked` is what options.Asked lists: `truncation`, `normalize`, `dimensions`, `encoding`. Any number of
        sentences: they are sent in several requests where one won't do, and all are one model's. Warns with
        TruncationWarning where a sentence was cut. Raises SentenceError (its `index` counts in `sentences`),
        RequestError or UnauthenticatedError, which are the caller's; OverloadedError, QuotaError, NotServingError,
        DrainingError or ConnectionFailedError once no retry was left; DeadlineError, EngineError or ModelChangedError.
        """
        if isinstance(sentences, str):
            row: NDArray[Any] = rows_or_warning(self.embed([sentences], timeout_s=timeout_s, **asked))[0]
            return row
        return rows_or_warning(self.embed(sentences, timeout_s=timeout_s, **asked))

    def embed(self, sentences: Sequence[str], *, timeout_s: float | None = None, **asked: Unpack[Asked]) -> Embeddings:
        """As `encode`, with the tokens read of each sentence, which were cut, and the model's version."""
        return run_blocking(self._caller.embed(sentences, timeout_s, **asked))

    def model(self, *, timeout_s: float | None = None) -> embedding_pb2.Model:
        """The model that the server serves, and its limits."""
        return run_blocking(self._caller.model(timeout_s))

    def close(self) -> None:
        """Close the connection."""
        self._transport.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Blocking:
    """A transport whose awaits block the thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.channel = endpoint.channel()
        self._metadata = endpoint.metadata

    def start(self, method: Method, request: Message, *, timeout_s: float) -> "grpc.Future[Any]":
        """Send, and don't wait."""
        send: Any = self.channel.unary_unary(method.path, type(request).SerializeToString, method.parse)
        call: grpc.Future[Any] = send.future(request, timeout=timeout_s, metadata=self._metadata)
        return call

    async def response(self, call: "grpc.Future[Any]") -> Any:
        """Wait for the answer."""
        return call.result()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)
