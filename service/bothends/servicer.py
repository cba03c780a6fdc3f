"""Proto in, embedder, proto out. Raises domain errors only; dispatch.py makes statuses of them."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version

from .call import Handler
from .dispatch import Answer, Dispatcher
from .embedder import Accepted, Embedder, Rows
from .metrics import Metrics
from .v1 import embedding_pb2
from .wire import SERVICE, encode

_LONG_BYTES = 4096
"""A request of more is tokenised in a thread of its own: the one that takes calls is everybody's."""
_TOKENISERS = ThreadPoolExecutor(2, "bothends-tokenise")


class EmbeddingServicer:
    """bothends.v1.EmbeddingService over one embedder. Each method settles its answer, now or later."""

    def __init__(self, embedder: Embedder, metrics: Metrics, *, max_message_bytes: int) -> None:
        self._embedder = embedder
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes
        self._server_version = version("bothends")

    def methods(self, dispatcher: Dispatcher) -> Mapping[str, Handler]:
        """Every method's full name, and what handles its calls."""
        return {
            f"/{SERVICE}/Embed": dispatcher.handler("Embed", embedding_pb2.EmbedRequest, self.embed),
            f"/{SERVICE}/GetModel": dispatcher.handler("GetModel", embedding_pb2.GetModelRequest, self.get_model),
        }

    def embed(self, request: embedding_pb2.EmbedRequest, answer: Answer) -> None:
        """Embed the request's sentences within the call's deadline; who leaves takes them out of the queue."""
        if (count := len(request.sentences)) <= self._embedder.max_sentences:  # else nobody could be served them
            answer.charge(count)
        if request.ByteSize() > _LONG_BYTES:
            _TOKENISERS.submit(self._begin, request, answer)
        else:
            self._begin(request, answer)

    def get_model(
        self,
        request: embedding_pb2.GetModelRequest,  # noqa: ARG002  it has no fields yet
        answer: Answer,
    ) -> None:
        """Describe the model, and what this caller may ask of it."""
        served, most = self._embedder.model, self._embedder.max_sentences
        config = served.config
        model = embedding_pb2.Model(
            name=config.name,
            version=config.version,
            dimension=config.dimension,
            max_tokens=config.max_tokens,
            max_sentences=answer.account.most(most) if answer.account else most,
            pooling=config.pooling,
            device=served.device,
            server_version=self._server_version,
            max_sentence_chars=self._embedder.max_sentence_chars,
            max_message_bytes=self._max_message_bytes,
            nested_dimensions=config.nested_dimensions,
        )
        answer.send(embedding_pb2.GetModelResponse(model=model).SerializeToString())

    def _begin(self, request: embedding_pb2.EmbedRequest, answer: Answer) -> None:
        with answer.guarding():
            accepted, rows = self._embedder.begin(request.sentences, deadline=answer.deadline, span=answer.span)
            answer.cancels(rows)
            rows.add_done_callback(partial(self._finish, accepted, answer))

    def _finish(self, accepted: Accepted, answer: Answer, rows: Rows) -> None:
        """On the engine's thread that had the last row."""
        if rows.cancelled():
            return
        with answer.guarding():
            found = self._embedder.finish(accepted, rows.result())
            with self._metrics.phase("serialise"):
                content = encode(found)
            answer.send(content)
