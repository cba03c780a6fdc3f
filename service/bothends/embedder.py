"""The whole path in one function: sentences → tokens → batches → embeddings.

Knows nothing of gRPC or HTTP; every front, and in-process use, goes through here.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import Span

from .batcher import Batcher
from .bundle import Bundle
from .canary import Canary
from .cuda import memory_used, warm_up
from .embeddings import Embeddings
from .engine import Engine
from .errors import DeadlineError, RequestError, SentenceError
from .metrics import Metrics
from .selftest import self_test
from .session import Session
from .settings import Settings
from .tokenizer import Tokenizer, Tokens
from .tracing import NO_SPAN
from .work import Source

_OVERHEAD_ROWS = {"cpu": 1.5, "cuda": 1000.0}
"""What a step of the model costs besides its rows, in rows. On a CPU a batch of 8 takes about 3.5 times one of 1; on a
GPU more rows are nearly free (a guess; `python benchmarks/gpu.py --device cuda` measures it)."""
_BATCH_ROWS = {"cpu": 16, "cuda": 1024}
"""Most sentences in one model run where the settings don't say; on a GPU the token budget is what bounds a batch."""


Rows: TypeAlias = Future[NDArray[np.float32]]
"""float32 [sentences, dimension] to come."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is known of sentences before their embeddings are."""

    token_counts: list[int]
    truncated: list[bool]


class Embedder:
    """A bundle ready to embed. Close it, or use it in `with`, to stop its threads."""

    def __init__(
        self,
        bundle: Bundle,
        tokenizer: Tokenizer,
        engine: Engine,
        *,
        device: str,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        """Prove `bundle` on this engine, then start batching. Raises BundleError where it no longer agrees."""
        self.config = bundle.config  # the model's bytes are onnxruntime's now; they aren't kept
        self.device = device
        self.max_sentences = settings.max_sentences
        self.max_sentence_chars = settings.max_sentence_chars
        kept = replace(bundle, model=b"")
        self._canary = Canary(
            partial(self_test, kept, tokenizer, engine, device=device), metrics, every_s=settings.selftest_s
        )
        self.self_test = self._canary.first
        self.workers = settings.workers if device == "cpu" else 1
        self._tokenizer = tokenizer
        self._metrics = metrics
        self._batcher = Batcher(
            engine,
            workers=self.workers,
            max_batch_rows=settings.max_batch_rows or _BATCH_ROWS[device],
            max_batch_tokens=settings.max_batch_tokens,
            max_queue_tokens=settings.max_queue_tokens,
            overhead_rows=_OVERHEAD_ROWS[device],
            observe=metrics.batch_ran,
            spare_core=device != "cpu",
        )
        metrics.watch_queue(lambda: self._batcher.queued, tokens_limit=settings.max_queue_tokens, workers=self.workers)

    @classmethod
    def load(cls, bundle: Bundle, *, settings: Settings | None = None, metrics: Metrics | None = None) -> Self:
        """Load `bundle` on the device that `settings` ask for. Raises BundleError or DeviceError."""
        settings = settings or Settings()
        tokenizer = Tokenizer(
            bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path / "tokenizer.json"
        )
        tokenizer.must_fit(bundle.config.vocabulary_size)
        session = Session(bundle, device=settings.device)
        if session.device == "cuda":  # on a CPU the golden sentences warm what there is to warm
            warm_up(
                session,
                max_rows=settings.max_batch_rows or _BATCH_ROWS["cuda"],
                max_tokens=settings.max_batch_tokens,
                longest=bundle.config.max_tokens,
            )
        metrics = metrics or Metrics()
        if session.device == "cuda":
            metrics.watch_device_memory(memory_used)
        metrics.serving(
            name=bundle.config.name,
            version=bundle.config.version,
            device=session.device,
            provider=session.provider,
        )
        return cls(bundle, tokenizer, session, device=session.device, settings=settings, metrics=metrics)

    @property
    def wait_s(self) -> float:
        """About how long a sentence would wait that came now."""
        return self._batcher.wait_s

    def embed(self, sentences: Sequence[str], *, timeout_s: float | None = None) -> Embeddings:
        """Embed `sentences`, waiting at most `timeout_s`.

        Raises RequestError (SentenceError where one sentence is to blame), OverloadedError, DrainingError,
        DeadlineError or EngineError.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        accepted, rows = self.begin(sentences, deadline=deadline)
        return self.finish(accepted, _wait(rows, deadline))

    def begin(
        self, sentences: Sequence[str], *, deadline: float | None = None, span: Span = NO_SPAN
    ) -> tuple[Accepted, Rows]:
        """The first half of `embed`, for who waits in another way: check, tokenise and queue `sentences`.

        `deadline` is a time of `time.monotonic`; `span` is linked to each batch that serves them. Cancelling the future
        frees the queue's places at once.
        """
        self._check(sentences)
        self._batcher.refuse_if_hopeless(len(sentences), deadline)  # before more is spent on them
        tokens = self._tokenise(sentences, deadline)
        counts = [len(sentence.ids) for sentence in tokens]
        rows = self._batcher.submit([sentence.ids for sentence in tokens], deadline=deadline, span=span)
        return Accepted(counts, [sentence.truncated for sentence in tokens]), rows

    def finish(self, accepted: Accepted, rows: NDArray[np.float32]) -> Embeddings:
        """The second half: `rows` are what the future holds."""
        self._metrics.embedded(accepted.token_counts, sum(accepted.truncated))
        return Embeddings(rows, accepted.token_counts, accepted.truncated, self.config.version)

    def attend_to(self, source: Source) -> None:
        """Bring in what comes to `source`, by the threads that run the model."""
        self._batcher.attend_to(source)

    def close(self, *, timeout_s: float = 30) -> bool:
        """Finish what was accepted and stop; returns whether all of it was finished in time."""
        self._canary.close()
        return self._batcher.close(timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self, sentences: Sequence[str]) -> None:
        if not sentences:
            raise RequestError("there are no sentences; send at least one")
        if len(sentences) > self.max_sentences:
            raise RequestError(
                f"{len(sentences)} sentences are more than this server's limit of {self.max_sentences} a request"
            )
        for index, sentence in enumerate(sentences):
            if len(sentence) > self.max_sentence_chars:
                raise SentenceError(
                    index, f"has {len(sentence)} characters; this server's limit is {self.max_sentence_chars}"
                )
            if not sentence or sentence.isspace():
                raise SentenceError(index, "is empty; a sentence needs at least one word")

    def _tokenise(self, sentences: Sequence[str], deadline: float | None) -> list[Tokens]:
        def give_up() -> None:
            if deadline is not None and time.monotonic() >= deadline:
                raise DeadlineError("the deadline passed before the sentences were tokenised")

        with self._metrics.phase("tokenise"):
            tokens = self._tokenizer.encode(sentences, between=give_up)
        for index, sentence in enumerate(tokens):
            if not sentence.ids:
                raise SentenceError(index, "holds nothing that the model's tokenizer can read")
        return tokens


def _wait(future: Rows, deadline: float | None) -> NDArray[np.float32]:
    remaining = None
    if deadline is not None:  # an infinite timeout is more than a lock can wait
        remaining = min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)
    try:
        return future.result(remaining)
    except TimeoutError:
        future.cancel()
        raise DeadlineError("the deadline passed before the embeddings were ready") from None
