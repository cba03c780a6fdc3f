"""Client for threads: each call blocks until its NumPy rows have arrived.

It only sends and waits; planning, retries and decoding are in core.py. Needs grpcio, protobuf and numpy only.
"""

import time
import warnings
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from queue import SimpleQueue
from typing import Any, Self, Unpack

import grpc
from google.protobuf.message import Message
from numpy.typing import NDArray

from ..embeddings import Compared, Embedding, Embeddings, TruncationWarning, rows_or_warning
from ..errors import ModelChangedError, SentenceError
from ..options import EmbedOptions, EncodeOptions, as_asked, ours
from ..v1 import embedding_pb2
from .channel import TLS, Endpoint, Target
from .core import ClientCore
from .retry import DEFAULT_RETRY, Retry
from .stream import Result, ResumingStream
from .transport import Method, iterate_blocking, run_blocking


class Client(Compared):
    """Connection to one server or several, safe to share between threads. Close it, or use it in `with`."""

    def __init__(
        self,
        target: Target = "127.0.0.1:50051",
        *,
        timeout_s: float = 30.0,
        api_key: str | None = None,
        tls: TLS | bool = False,
        retry: Retry = DEFAULT_RETRY,
        watch_health: bool | None = None,
        model: str | None = None,
    ) -> None:
        """Connect to `target` when first used: host:port, or several IP addresses with ports; the least busy is asked.

        `timeout_s` bounds each call, retries included, unless the call says otherwise. `api_key` goes with each call.
        `tls` is True, or says which files. `watch_health` leaves out servers that say NOT_SERVING; by default it is on
        where several are given. (Behind a balancer that splits calls, one server would speak for all.) `model` is the
        name of the one to ask for, where servers have several; without it they choose their first.
        Raises SettingsError for what can't work. Warns with InsecureKeyWarning where the key could be overheard.
        """
        endpoint = Endpoint.of(target, tls=tls, api_key=api_key, watch_health=watch_health)
        self.target = endpoint.name
        self.timeout_s = timeout_s
        self._transports = [BlockingTransport(one) for one in endpoint.each()]
        self._core = ClientCore(self._transports, name=endpoint.name, retry=retry, timeout_s=timeout_s, model=model)

    def encode(
        self, sentences: Sequence[str] | str, *, timeout_s: float | None = None, **options: Unpack[EncodeOptions]
    ) -> NDArray[Any]:
        """Return the embeddings of `sentences`, float32 [sentences, dimension], in order; for one string [dimension].

        `options` are those that EncodeOptions lists: `truncation`, `normalize`, `dimensions`, `encoding`, and the
        equivalent names in sentence-transformers, of which `convert_to_tensor` makes a tensor of torch. Any number of
        sentences may be given: they are sent in as many requests as needed, and all are embedded with one version of
        the model. No sentences give [0, dimension], for which the server is asked about its model. Warns with
        TruncationWarning if a sentence was cut. Raises
        SentenceError (its `index` is that in `sentences`), RequestError or UnauthenticatedError, which are the caller's
        mistakes; OverloadedError, QuotaError, NotServingError, DrainingError or ConnectionFailedError after the last
        retry; DeadlineError, EngineError or ModelChangedError.
        """
        if isinstance(sentences, str):
            found: NDArray[Any] = rows_or_warning(self.embed([sentences], timeout_s=timeout_s, **ours(options)))[0]
        elif len(sentences):
            found = rows_or_warning(self.embed(sentences, timeout_s=timeout_s, **ours(options)))
        else:
            found = run_blocking(self._core.no_rows(timeout_s, **ours(options)))
        return as_asked(found, options)

    encode_query = encode_document = encode
    """The same, by sentence-transformers' names: no model here has prompts that would make them differ."""

    def get_sentence_embedding_dimension(self) -> int:
        """Return the model's dimension, asking the server. The name is that of sentence-transformers."""
        return self.model().dimension

    get_embedding_dimension = get_sentence_embedding_dimension
    """The same, by its newer name there."""

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed `texts` as LangChain's stores want it: a list of numbers each, of length 1."""
        found: list[list[float]] = self.encode(list(texts), normalize=True).tolist()
        return found

    def embed_query(self, text: str) -> list[float]:
        """Embed one text like `embed_documents`."""
        return self.embed_documents([text])[0]

    def embed(
        self, sentences: Sequence[str], *, timeout_s: float | None = None, **options: Unpack[EmbedOptions]
    ) -> Embeddings:
        """Embed like `encode`; also return each sentence's number of tokens, whether it was cut, and the model."""
        return run_blocking(self._core.embed(sentences, timeout_s, **options))

    def encode_stream(
        self, sentences: Iterable[str], *, timeout_s: float | None = None, **options: Unpack[EmbedOptions]
    ) -> Iterator[NDArray[Any] | SentenceError]:
        """Yield for each of any number of `sentences`, in order, its row, or the SentenceError that explains why it has
        none.

        Sentences are read a few hundred ahead of what is taken, and neither they nor the rows are kept. If a server is
        busy, stops or is lost, the stream continues at the first unanswered sentence, according to `retry`: nothing is
        lost, and nothing comes twice. `timeout_s` bounds the whole stream; None, unlike elsewhere, means no bound. All
        rows come from one model version; ModelChangedError is raised if another takes over. Otherwise raises and warns
        like `encode`.
        """
        return iterate_blocking(rows_of(ResumingStream(self._core, sentences, timeout_s, **options).results()))

    def embed_stream(
        self, sentences: Iterable[str], *, timeout_s: float | None = None, **options: Unpack[EmbedOptions]
    ) -> Iterator[Embedding | SentenceError]:
        """Yield like `encode_stream`, but with each sentence's number of tokens, whether it was cut, and the model,
        which may change.
        """
        return iterate_blocking(ResumingStream(self._core, sentences, timeout_s, **options).results())

    def model(self, *, timeout_s: float | None = None) -> embedding_pb2.Model:
        """Ask the server about the chosen model and its limits. Raises UnknownModelError if there is no such model."""
        return run_blocking(self._core.model(timeout_s))

    def close(self) -> None:
        """Close the connection."""
        for transport in self._transports:
            transport.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def rows_of(results: AsyncGenerator[Result, None]) -> AsyncGenerator[NDArray[Any] | SentenceError, None]:
    """Yield the row of each result that has one.

    Warns about the first sentence that was cut; raises ModelChangedError.
    """
    version, has_warned = None, False
    async with aclosing(results):
        async for result in results:
            if isinstance(result, SentenceError):
                yield result
                continue
            version = version or result.model_version
            if result.model_version != version:
                raise ModelChangedError(
                    f"model {result.model_version} took over from {version} in the middle of a stream; begin it anew, "
                    "or use embed_stream(), which tells whose each vector is"
                )
            if result.truncated and not has_warned:
                has_warned = True
                message = "sentences are longer than the model reads and are cut; embed_stream() says which"
                warnings.warn(message, TruncationWarning, stacklevel=2)
            yield result.row


class BlockingTransport:
    """Transport whose waits block the thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.channel = endpoint.channel()
        self._metadata = endpoint.metadata

    def start(self, method: Method, request: Message, *, timeout_s: float) -> "grpc.Future[Any]":
        """Send `request` without waiting for the answer."""
        send: Any = self.channel.unary_unary(method.path, type(request).SerializeToString, method.parse)
        call: grpc.Future[Any] = send.future(request, timeout=timeout_s, metadata=self._metadata)
        return call

    async def response(self, call: "grpc.Future[Any]") -> Any:
        """Wait for the answer to `call`."""
        return call.result()

    def open_stream(self, method: Method, *, timeout_s: float) -> "_StreamCall":
        """Start a call of many messages."""
        return _StreamCall(self.channel, method, timeout=timeout_s, metadata=self._metadata)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)  # noqa: ASYNC251  nothing else runs by this client's coroutines


class _StreamCall:
    """A call of many messages, which a thread of gRPC's takes from a queue and sends."""

    def __init__(self, channel: grpc.Channel, method: Method, **options: Any) -> None:
        self._outgoing: SimpleQueue[Message | None] = SimpleQueue()
        begin: Any = channel.stream_stream(method.path, serialized, method.parse)
        self._call = begin(iter(self._outgoing.get, None), **options)

    def send(self, request: Message | None) -> None:
        """Send `request` when the server is ready to read it; None ends the requests."""
        self._outgoing.put(request)

    async def receive(self) -> Any | None:
        """Wait for the next answer; None after the last one."""
        return next(self._call, None)

    def cancel(self) -> None:
        """Cancel the call, and end gRPC's thread."""
        self._call.cancel()
        self._outgoing.put(None)


def serialized(message: Message) -> bytes:
    """Return the bytes of `message`."""
    return message.SerializeToString()
