"""Embeds windows of sentences with a model in this process or with servers.

A sentence that can't be embedded gets a reason.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from ..chunks import chunks
from ..embeddings import Embeddings, joined
from ..engines.contract import precision_of
from ..errors import ModelChangedError, SentenceError
from ..options import EmbedOptions

if TYPE_CHECKING:  # a model in this process needs no gRPC, and servers need no model
    from ..client.sync import Client
    from ..encoder import Encoder

_REQUEST_SENTENCES = 128
_REQUEST_CHARS = 1 << 18
_REQUESTS = 8
"""Requests in flight. A server that has enough waiting batches better, and two servers want twice as many."""
_FIRST_TIMEOUT_S = 10.0
"""Timeout of the first call: a caller that names a server that isn't there should know at once."""
EmbedResult: TypeAlias = tuple[Embeddings | None, dict[int, str]]
"""Embeddings of the good sentences, in order, and for each other one, by its index, what is wrong."""


class BulkEngine(Protocol):
    """Model that embeds rows, here or on a server. Safe to use from several threads at once."""

    model: str
    """Name and version of the model."""
    precision: str
    """Precision of its arithmetic. Vectors of another precision differ."""
    dimension: int
    nested_dimensions: tuple[int, ...]

    def embed(self, texts: Sequence[str]) -> EmbedResult:
        """Embed all of `texts` that can be embedded, with a reason for each other."""
        ...

    def stop(self) -> None:
        """Cancel what is in progress; `embed` then raises."""
        ...


class LocalEngine:
    """Model that is loaded in this process."""

    def __init__(self, encoder: "Encoder", options: EmbedOptions) -> None:
        self.model, self.precision = f"{encoder.name} {encoder.version}", encoder.precision
        self.dimension, self.nested_dimensions = encoder.dimension, encoder.nested_dimensions
        self._encoder, self._options = encoder, options

    def embed(self, texts: Sequence[str]) -> EmbedResult:
        """Embed all of `texts` that can be embedded, with a reason for each other."""
        problems: dict[int, str] = {}

        def note(error: SentenceError) -> None:
            problems[error.index] = error.reason

        return self._encoder.embed_readable(texts, note, **self._options), problems

    def stop(self) -> None:
        """Stop the model's threads."""
        self._encoder.close(timeout_s=0)


class RemoteEngine:
    """Model on one server or several, called through a client."""

    def __init__(self, client: "Client", options: EmbedOptions) -> None:
        served = client.model(timeout_s=min(client.timeout_s, _FIRST_TIMEOUT_S))
        self.model, self.precision = f"{served.name} {served.version}", precision_of(served.engine)
        self.dimension, self.nested_dimensions = served.dimension, tuple(served.nested_dimensions)
        self._version = served.version
        self._client, self._options = client, options
        self._pool = ThreadPoolExecutor(_REQUESTS)

    def embed(self, texts: Sequence[str]) -> EmbedResult:
        """Embed by several parallel requests of sentences of similar length.

        If a sentence is refused, the rest is sent again.
        """
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]), reverse=True)
        sizes = [len(texts[place]) for place in order]
        parts = [order[a:b] for a, b in chunks(sizes, max_count=_REQUEST_SENTENCES, max_size=_REQUEST_CHARS)]
        problems: dict[int, str] = {}
        answered = [each for each in self._pool.map(lambda part: self._ask(texts, part, problems), parts) if each[0]]
        places = [place for part, _ in answered for place in part]
        return (_in_order([found for _, found in answered], places) if places else None), problems

    def stop(self) -> None:
        """Cancel what is in progress."""
        self._client.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, texts: Sequence[str], places: list[int], problems: dict[int, str]) -> tuple[list[int], Embeddings]:
        """Return the good ones among `places`, and their embeddings."""
        good = list(places)
        while good:
            try:
                found = self._client.embed([texts[index] for index in good], **self._options)
            except SentenceError as error:
                problems[good.pop(error.index)] = error.reason
            else:
                if found.model_version != self._version:
                    raise ModelChangedError(
                        f"the model was {self.model} and is version {found.model_version} now; their vectors can't be "
                        "compared, so begin anew with --overwrite"
                    )
                return good, found
        return [], Embeddings(np.empty((0, 0)), [], [], self._version)


def _in_order(parts: Sequence[Embeddings], places: Sequence[int]) -> Embeddings:
    """Join `parts`, whose sentences stood at `places`, in the order of those."""
    order, whole = np.argsort(places, kind="stable"), joined(parts)
    return Embeddings(
        whole.rows[order],
        [whole.token_counts[index] for index in order],
        [whole.truncated[index] for index in order],
        whole.model_version,
        None if whole.scales is None else whole.scales[order],
    )
