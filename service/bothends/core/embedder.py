"""`Embedder`: the whole path from sentences to embeddings. Servers of any protocol and in-process callers use it."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import Span

from ..batching.budgets import Terms
from ..batching.queue import Queue
from ..batching.request import Ticket
from ..embeddings import Embeddings
from ..engines.contract import BatchRecord, Engine, Fault, TokenIds
from ..errors import BothendsError, DeadlineError, EngineError, NotServingError
from ..model.bundle import Bundle
from ..model.tokenizer import Pieces
from ..observe.metrics import Metrics
from ..observe.tracing import NO_SPAN
from ..observe.unforeseen import error_text
from ..options import DEFAULT_OPTIONS, Options
from ..settings import EmbedderSettings
from .inputs import FEW, SHORT_BYTES, InputReader, OnError, RequestLimits, Sentences, refuse
from .lent import Lent, lend
from .loaded import LoadedModel
from .long_texts import in_pieces, mean_of_pieces
from .native_code import native_code
from .query import AcceptedRequest, Rows
from .queue import queue_of, terms_of
from .selftest import SelfTest

_log = logging.getLogger(__name__)
_RUN_ENDS_S = 5.0
"""Bound on the time that a model run takes to end once it is stopped: one that hangs is left behind."""


class _Served(NamedTuple):
    """A model with the reader of its input, which change together."""

    model: LoadedModel
    reader: InputReader


class Embedder:
    """Model that is ready to embed, and that another may replace.

    Close it, or use it in `with`, to stop its threads.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        settings: EmbedderSettings,
        metrics: Metrics,
        name: str | None = None,
        queue: Queue | None = None,
    ) -> None:
        """Embed with `model`, in the threads of the `queue` that it shares with others, or in threads of its own.

        `name` is the one by which callers ask for it; by default the bundle's own.
        """
        self.name = name or model.config.name
        self.metrics = metrics.of(self.name)
        self.limits = RequestLimits(settings.max_sentences, settings.max_sentence_chars, settings.max_request_tokens)
        self._engine_timeout_s = settings.engine_timeout_s
        self._on_fault: Callable[[Fault, Engine], None] = lambda *_: None
        self._queue: Queue = queue or queue_of([model], settings, metrics)
        self.terms: Terms = terms_of(model, settings, self.metrics, lambda *fault: self._on_fault(*fault))
        """How its sentences are batched."""
        self.serve(model)

    @classmethod
    def load(cls, bundle: Bundle, *, settings: EmbedderSettings | None = None, metrics: Metrics | None = None) -> Self:
        """Load `bundle` on the device that `settings` ask for. Raises BundleError or DeviceError."""
        settings = settings or EmbedderSettings()
        return cls(LoadedModel.load(bundle, settings), settings=settings, metrics=metrics or Metrics())

    def serve(self, model: LoadedModel) -> None:
        """Embed everything that arrives from now on with `model`, on the same device.

        Waiting requests keep the previous model.
        """
        if model.device == "cuda":
            self._queue.in_each_thread(model.warm_up, timeout_s=self._engine_timeout_s)
        self._served = _Served(model, InputReader(model.tokenizer, model.config, self.limits))
        self.metrics.serving(
            name=model.config.name, version=model.config.version, device=model.device, provider=model.provider
        )
        self.metrics.tested(success=True, difference=model.self_test.max_difference)

    @property
    def workers(self) -> int:
        """Number of model runs at once, over all models that share the queue."""
        return self._queue.workers

    def prove(self) -> SelfTest:
        """Self-test the model in a thread of its own, beside what callers have computed.

        Raises SelfTestError, NotServingError, or EngineError if the engine raises or hangs.
        """
        model, found = self.model, Future[SelfTest]()

        def hang() -> None:
            with suppress(InvalidStateError):
                found.set_exception(EngineError("the model run took too long and was given up", hung=True))
            self._on_fault("hung", model)

        def watched(ids: Sequence[TokenIds]) -> NDArray[np.float32]:
            with self._queue.watching(hang):
                return model.run(ids)

        def prove() -> None:
            try:
                told: SelfTest | Exception = model.prove(watched)
            except BothendsError as error:
                told = error
            except Exception as error:
                _log.error("a self-test failed: %s", error_text(error))
                told = EngineError("the model run failed")
                self._on_fault("raised", model)
            with suppress(InvalidStateError):
                found.set_exception(told) if isinstance(told, Exception) else found.set_result(told)

        threading.Thread(target=prove, name="bothends-proof", daemon=True).start()
        return found.result()

    def on_fault(self, then: Callable[[Fault, Engine], None]) -> None:
        """Set the callback for engine faults. It is called soon after one, and must return quickly."""
        self._on_fault = then

    @property
    def model(self) -> LoadedModel:
        """Model that embeds new requests."""
        return self._served.model

    @property
    def wait_s(self) -> float:
        """Estimated wait, in seconds, of a sentence that arrives now."""
        return self._queue.wait_s

    def embed(
        self, sentences: Sentences, options: Options = DEFAULT_OPTIONS, *, timeout_s: float | None = None
    ) -> Embeddings:
        """Embed `sentences`, waiting at most `timeout_s`.

        Raises RequestError (SentenceError if one sentence is to blame), OverloadedError, DrainingError, DeadlineError
        or EngineError.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        accepted, rows = self.begin(sentences, options, deadline=deadline)
        return self.finish(accepted, _wait(rows, deadline))

    def begin(
        self,
        sentences: Sentences,
        options: Options = DEFAULT_OPTIONS,
        *,
        deadline: float | None = None,
        span: Span = NO_SPAN,
        on_error: OnError = refuse,
        is_over: Callable[[], bool] = lambda: False,
        ticket: Ticket | None = None,
    ) -> tuple[AcceptedRequest, Rows]:
        """Start `embed` without waiting for it: check, tokenise and queue `sentences`.

        `deadline` is a time of `time.monotonic`; `span` is linked to each batch that serves them. Cancelling the future
        frees the queue's space at once. If `on_error` doesn't raise the error that it is called with, the other
        sentences are embedded. `is_over` is called now and then, and returns True once nobody waits any more. They wait
        in the turn of the caller who has the `ticket`, where the queue has turns.
        """
        model, reader = self._trusted()  # one for all that follows: another may take over at any time
        reader.check(len(sentences), options)
        self._queue.refuse_if_full(reader.min_tokens(sentences, options))  # before more is spent on them
        with native_code, self.metrics.phase("tokenise"):
            tokens = reader.read(
                sentences, options, check_deadline=partial(_check_deadline, deadline, is_over), on_error=on_error
            )
        ids: Sequence[TokenIds] = [sentence.ids for sentence in tokens]
        pieces = None
        if options.truncation == "pieces":
            ids, pieces = in_pieces(ids, max_tokens=model.config.max_tokens, continuing=model.tokenizer.continuing)
        rows = self._queue.submit(ids, engine=model, terms=self.terms, deadline=deadline, span=span, ticket=ticket)
        return AcceptedRequest.of(tokens, options, model.config.version, pieces=pieces), rows

    def tokenise(
        self,
        sentences: Sequence[str],
        options: Options = DEFAULT_OPTIONS,
        *,
        deadline: float | None = None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> tuple[str, list[Pieces]]:
        """Return the model's version and the tokens of each sentence, with texts and positions. `options` say how long
        sentences are cut; `deadline` and `is_over` are as in `begin`.

        Raises like `begin`.
        """
        model, reader = self._trusted()
        reader.check(len(sentences), options)
        with native_code:
            read = reader.pieces(sentences, options, check_deadline=partial(_check_deadline, deadline, is_over))
        return model.config.version, read

    def decode(self, ids: Sequence[TokenIds], *, skip_special_tokens: bool) -> list[str]:
        """Return the text of each list of token ids. Raises RequestError, EngineError or NotServingError."""
        with native_code:
            return self._trusted().reader.decode(ids, skip_special_tokens=skip_special_tokens)

    def finish(self, accepted: AcceptedRequest, rows: NDArray[np.float32]) -> Embeddings:
        """Finish `embed`: make embeddings of `rows`, float32 [sentences or pieces, dimension], the result of the future
        that `begin` returned with `accepted`.
        """
        self.metrics.embedded(accepted.token_counts, sum(accepted.truncated), in_pieces=accepted.in_pieces)
        if accepted.pieces is not None:
            rows = mean_of_pieces(rows, accepted.pieces)
        return Embeddings(
            accepted.options.shaped(rows), accepted.token_counts, accepted.truncated, accepted.model_version
        )

    def lend(self, model: LoadedModel) -> Lent:
        """Lend `model` to native code, which computes with it, and reads requests if it can tokenise for it."""
        return lend(model, self.terms.budgets, max_together=FEW, short_bytes=SHORT_BYTES, max_runs=self._queue.workers)

    def ran(self, record: BatchRecord) -> None:
        """Record a batch that native code ran with the model."""
        self._queue.ran(record, self.terms)

    def close(self, *, timeout_s: float = 30, others: Sequence["Embedder"] = ()) -> bool:
        """Finish accepted requests and stop; returns True if all were finished within `timeout_s`.

        `others` are embedders that share its queue, and are closed with it.
        """
        finished = self._queue.close(timeout_s=timeout_s)
        for embedder in (self, *others):
            embedder.model.stop()  # no caller waits any more for what may still run
        self._queue.join(_RUN_ENDS_S)  # a process that ends while one is inside a run would abort
        return finished

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _trusted(self) -> _Served:
        served = self._served
        if served.model.is_withdrawn:
            raise NotServingError(f"{served.model.why_withdrawn}; the model is being loaded anew")
        return served


def _check_deadline(deadline: float | None, is_over: Callable[[], bool]) -> None:
    if is_over() or (deadline is not None and time.monotonic() >= deadline):
        raise DeadlineError("the deadline passed before the sentences were tokenised")


def _wait(future: Rows, deadline: float | None) -> NDArray[np.float32]:
    remaining = None
    if deadline is not None:  # an infinite timeout is more than a lock can wait
        remaining = min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)
    try:
        return future.result(remaining)
    except TimeoutError:
        future.cancel()
        raise DeadlineError("the deadline passed before the embeddings were ready") from None
