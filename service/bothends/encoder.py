"""Encoder that embeds sentences in this process: what `Client` does, without a server.

It shares the server's embedder, options and encodings, so that both give the same numbers. Any number of sentences may
be given; a bounded number of them is in memory.
"""

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeAlias, Unpack

from numpy.typing import NDArray

from .chunks import WINDOW, WINDOW_CHARS, chunks
from .core.embedder import Embedder
from .core.inputs import OnError, refuse
from .core.query import AcceptedRequest, Rows
from .embeddings import Compared, Embeddings, joined, rows_or_warning
from .engines.contract import engine_of, precision_of
from .errors import SentenceError
from .model.bundle import Bundle, default_path
from .model.tokenizer import Pieces
from .model.versions import newest
from .options import EmbedOptions, EncodeOptions, Options, as_asked, encoded, no_rows, ours, parse_options
from .settings import EmbedderSettings, chosen

_IN_FLIGHT = 2  # one is computed while the next is tokenised
_NO_LIMIT = 2**31 - 1


_Begun: TypeAlias = tuple[AcceptedRequest, Rows]
"""A window on its way."""


class Encoder(Compared):
    """Model in this process, safe to share between threads. Close it, or use it in `with`, to stop its threads.

    A process that is forked later has none of these threads, and needs an encoder of its own.
    """

    def __init__(self, embedder: Embedder) -> None:
        """Wrap an embedder that is there already; `load` makes one of a bundle."""
        config = embedder.model.config
        self._embedder = embedder
        self._process = os.getpid()
        self.name = config.name
        """Name of the model."""
        self.version = config.version
        """Version of the model."""
        self.engine = engine_of(embedder.model.provider)
        """What computes, as `load` takes it: "native/avx512", "onnxruntime"."""
        self.device = embedder.model.device
        """Device that it computes on, "cpu" or "cuda"."""
        self.precision = precision_of(embedder.model.provider)
        """Precision of its arithmetic."""
        self.dimension = config.dimension
        """Size of an embedding, in numbers."""
        self.nested_dimensions = config.nested_dimensions
        """Smaller sizes that may be asked for as `dimensions`."""
        self.max_tokens = config.max_tokens
        """Largest number of tokens that the model reads of a sentence."""
        self.languages = config.languages
        """BCP 47 tags of the languages that the model was trained on; empty if unknown."""

    @classmethod
    def load(
        cls,
        bundle: Path | str | None = None,
        *,
        device: str = "auto",
        engine: str = "auto",
        precision: str = "float32",
        workers: int | None = None,
    ) -> Self:
        """Load and self-test a model: from the folder `bundle`, or the packaged English one, which is also called
        "english".

        `device` is "auto", "cpu" or "cuda"; `engine` is "auto", "onnxruntime" or "native"; `precision`, for the native
        engine only, is "float32", "bf16" or "int8"; `workers` is the number of model runs at once on a CPU, by default
        one a core. If "auto" falls back from the native engine to onnxruntime on a CPU, one log line says why, how much
        slower that is, and what to do. Raises SettingsError, BundleError or DeviceError.
        """
        asked = {"device": device, "engine": engine, "precision": precision}
        asked |= {} if workers is None else {"workers": str(workers)}
        # Limits keep callers from each other; here there is one, and `embed` holds no more than a few windows at once.
        limits = dict.fromkeys(("max_sentence_chars", "max_request_tokens", "max_queue_tokens"), _NO_LIMIT)
        settings = EmbedderSettings.load(asked, {}, max_sentences=WINDOW, **limits)
        folder = chosen(None if bundle is None else Path(bundle))
        found = default_path() if folder is None else newest(folder)
        return cls(Embedder.load(Bundle.open(found), settings=settings))

    def encode(self, sentences: Sequence[str] | str, **asked: Unpack[EncodeOptions]) -> NDArray[Any]:
        """Return the embeddings of `sentences`, float32 [sentences, dimension], in order; for one string, float32
        [dimension].

        `asked` are the options that EncodeOptions lists: `truncation`, `normalize`, `dimensions`, `encoding`, and the
        equivalent names in sentence-transformers, of which `convert_to_tensor` makes a tensor of torch. The rows equal
        those of `Client.encode` from a server of this model.

        Warns with TruncationWarning if a sentence was cut. No sentences give [0, dimension]. Raises SentenceError (its
        `index` is that in `sentences`), RequestError or EngineError.
        """
        options = ours(asked)
        if isinstance(sentences, str):
            found: NDArray[Any] = rows_or_warning(self.embed([sentences], **options))[0]
        elif texts := _texts(sentences):
            found = rows_or_warning(self.embed(texts, **options))
        else:
            found = no_rows(self.dimension, self.nested_dimensions, **options)
        return as_asked(found, asked)

    encode_query = encode_document = encode
    """The same, by sentence-transformers' names: this model has no prompts that would make them differ."""

    def get_sentence_embedding_dimension(self) -> int:
        """Return `dimension`. The name is that of sentence-transformers."""
        return self.dimension

    get_embedding_dimension = get_sentence_embedding_dimension
    """The same, by its newer name there."""

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed `texts` as LangChain's stores want it: a list of numbers each, of length 1."""
        found: list[list[float]] = self.encode(list(texts), normalize=True).tolist()
        return found

    def embed_query(self, text: str) -> list[float]:
        """Embed one text like `embed_documents`."""
        return self.embed_documents([text])[0]

    def embed(self, sentences: Sequence[str], **asked: Unpack[EmbedOptions]) -> Embeddings:
        """Embed like `encode`; also return each sentence's number of tokens, whether it was cut, and the model's
        version.

        Raises RequestError if there are no sentences.
        """
        return self.embed_readable(sentences, refuse, **asked)

    def embed_readable(self, sentences: Sequence[str], on_error: OnError, **asked: Unpack[EmbedOptions]) -> Embeddings:
        """Return the embeddings of those sentences that can be embedded; `on_error` is called with the error of each
        other one.
        """
        self._check_process()
        texts = _texts(sentences)
        options = parse_options(**asked)
        begun: deque[_Begun] = deque()
        found: list[Embeddings] = []
        try:
            for start, stop in chunks([len(text) for text in texts], max_count=WINDOW, max_size=WINDOW_CHARS):
                if len(begun) == _IN_FLIGHT:
                    found.append(self._finish(begun.popleft()))
                begun.append(self._begin(texts[start:stop], start, options, on_error))
            while begun:
                found.append(self._finish(begun.popleft()))
        finally:
            for _, rows in begun:  # something was raised: the others aren't wanted
                rows.cancel()
        whole = joined(found)
        numbers, scales = encoded(whole.rows, options.encoding)
        return replace(whole, rows=numbers, scales=scales)

    def tokenize(self, sentences: Sequence[str]) -> list[Pieces]:
        """Return the tokens that the model reads of each sentence, with texts and positions; a longer sentence is cut
        at its end.

        Raises like `embed`.
        """
        self._check_process()
        return self._embedder.tokenise(_texts(sentences), Options("start"))[1]

    def close(self, *, timeout_s: float = 30) -> None:
        """Stop. Calls in progress have `timeout_s` seconds to finish, then raise DrainingError."""
        if os.getpid() == self._process:  # a fork has nothing to stop
            self._embedder.close(timeout_s=timeout_s)

    def __repr__(self) -> str:
        computes = f"{self.dimension} numbers, {self.precision} by {self.engine} on {self.device}"
        return f"<bothends.Encoder {self.name} {self.version}: {computes}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_process(self) -> None:
        """Raise RuntimeError in a process that was forked since: without threads it would wait for ever."""
        if os.getpid() != self._process:
            raise RuntimeError(
                "this Encoder was loaded before the process forked, and its threads stayed behind: call Encoder.load() "
                "in each process (gunicorn: without --preload, or in post_fork; Celery: in worker_process_init)"
            )

    def _begin(self, texts: list[str], start: int, options: Options, on_error: OnError) -> _Begun:
        """Tokenise and queue `texts`, whose first one has the index `start` in the caller's list."""

        def pass_on(error: SentenceError) -> None:
            on_error(error.at(start + error.index))

        return self._embedder.begin(texts, options, on_error=pass_on)

    def _finish(self, begun: _Begun) -> Embeddings:
        accepted, rows = begun
        try:
            return self._embedder.finish(accepted, rows.result())
        finally:
            del begun, rows  # an error of theirs holds this frame: a circle would wait for the garbage collector


def _texts(sentences: Sequence[str]) -> list[str]:
    if isinstance(sentences, str):
        raise TypeError("pass a list of sentences, not one string")
    texts = list(sentences)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"sentences[{index}] is of type {type(text).__name__}, not a string")
    return texts
