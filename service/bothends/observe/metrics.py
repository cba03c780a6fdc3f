"""Defines every metric of the server, and the methods by which other modules count.

Names and buckets are public; all series are present at zero before the first request. Units are seconds, tokens and
rows; no label ever holds a caller's text.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, get_args

from prometheus_client import Counter, Gauge, ProcessCollector

from ..engines.contract import BatchRecord
from ..errors import Refusal
from .build import BUILD
from .scrape import QueueCollector, Registry, TransportCollector
from .tally import Histogram, Tally, Timer

Phase = Literal["tokenise", "queue", "engine", "serialise"]
Path = Literal["native", "python"]
"""What a request took: C++ alone, or Python."""
Reload = Literal["served", "refused"]
"""Outcome of a look at a newer model."""

# fmt: off
SECONDS = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
TOKENS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
# fmt: on
PATHS: tuple[Path, ...] = get_args(Path)
PHASES: tuple[Phase, ...] = get_args(Phase)
REFUSALS: tuple[Refusal, ...] = get_args(Refusal)
RELOADS: tuple[Reload, ...] = get_args(Reload)
CODES = (
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "INTERNAL",
    "UNIMPLEMENTED",
)


class Metrics:
    """One server's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = Registry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter("bothends_requests", "Requests answered.", ("method", "code"), registry=self.registry)
        self._refused = Counter(
            "bothends_refused_requests", "Requests turned away unserved.", ("reason",), registry=self.registry
        )
        self._path_requests = Counter(
            "bothends_path_requests",
            "Requests that were let in, by what served them.",
            ("method", "path"),
            registry=self.registry,
        )
        self._transport_refused = Counter(
            "bothends_grpc_refused_calls",
            "Calls that gRPC's transport refused by itself.",
            ("reason",),
            registry=self.registry,
        )
        self._request_seconds = self._histogram(
            "bothends_request_seconds", "From a request's arrival to its answer.", SECONDS, label="method"
        )
        self._phase_seconds = self._histogram(
            "bothends_phase_seconds",
            "Time in each phase: tokenise and serialise once a request, or once for small ones that came together; "
            "queue once a sentence, engine once a batch.",
            SECONDS,
            label="phase",
        )
        self._sentence_tokens = self._histogram(
            "bothends_sentence_tokens", "Tokens read of each sentence.", TOKENS
        ).of()
        self._truncated = Counter(
            "bothends_truncated_sentences", "Sentences cut to the model's limit.", registry=self.registry
        )
        self._batch_rows = self._histogram("bothends_batch_rows", "Sentences in each model run.", ROWS).of()
        self._batch_tokens = self._histogram(
            "bothends_batch_tokens", "Tokens in each model run, padding included.", TOKENS
        ).of()
        self._batch_efficiency = self._histogram(
            "bothends_batch_efficiency_ratio", "Share of each model run that is not padding.", SHARES
        ).of()
        self._queue_tokens_limit = self._gauge("bothends_queue_tokens_limit", "Tokens that may wait.")
        self._workers = self._gauge("bothends_engine_workers", "Model runs that may go on at once.")
        self._add_model()
        self._present_at_zero()

    def _add_model(self) -> None:
        """Add what tells of the model that is served, and of its tests."""
        self._selftest = {
            "success": self._gauge("bothends_selftest_success", "1 if the last self-test passed, else 0."),
            "timestamp_seconds": self._gauge("bothends_selftest_timestamp_seconds", "When it ran, in Unix time."),
            "difference": self._gauge(
                "bothends_selftest_difference", "Largest difference of an embedding's number from PyTorch's then."
            ),
        }
        self._withdrawals = Counter(
            "bothends_model_withdrawals",
            "Times that the model was found unfit, and loaded anew.",
            registry=self.registry,
        )
        self._reloads = Counter(
            "bothends_model_reloads", "Attempts to serve a newer model.", ("result",), registry=self.registry
        )
        labels = ("name", "version", "device", "provider")
        self._served: tuple[str, ...] | None = None
        self._model = self._gauge("bothends_model_info", "The model that is served; always 1.", labels)
        self._gauge("bothends_build_info", "What serves; always 1.", tuple(BUILD)).labels(**BUILD).set(1)

    def _histogram(self, name: str, text: str, bounds: Sequence[float], *, label: str | None = None) -> Histogram:
        return Histogram(name, text, bounds, self.registry, label=label)

    def _gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _present_at_zero(self) -> None:
        self._seconds_of: dict[str, Tally] = {}
        self._count_of: dict[tuple[str, str], Counter] = {}
        self._path_of: dict[tuple[str, Path], Counter] = {}
        self._phases = {phase: self._phase_seconds.of(phase) for phase in PHASES}
        self._reloads_of = {result: self._reloads.labels(result) for result in RELOADS}
        self._refusals = {reason: self._refused.labels(reason) for reason in REFUSALS}

    def register(self, method: str) -> None:
        """Make the series of `method` present at zero; its calls can be counted from now on."""
        self._seconds_of[method] = self._request_seconds.of(method)
        self._count_of |= {(method, code): self._requests.labels(method, code) for code in CODES}
        self._path_of |= {(method, path): self._path_requests.labels(method, path) for path in PATHS}

    def answered(
        self, method: str, code: str, seconds: float, *, refusal: Refusal | None = None, trace_id: str | None = None
    ) -> None:
        """Count a request that Python served, of a registered method: its gRPC status code, `seconds` after it came;
        `refusal` if unserved.

        `trace_id` is that of a trace in which an operator may look it up.
        """
        self._count_of[method, code].inc()
        self._path_of[method, "python"].inc()
        self._seconds_of[method].observe(seconds, trace_id)
        if refusal is not None:
            self._refusals[refusal].inc()

    def answered_all(
        self, method: str, code: str, seconds: Sequence[float], *, path: Path | None, refusal: Refusal | None = None
    ) -> None:
        """Count requests as `answered` does, all alike; `path` is None where the transport didn't let them in."""
        self._count_of[method, code].inc(len(seconds))
        if path is not None:
            self._path_of[method, path].inc(len(seconds))
        self._seconds_of[method].observe_all(seconds)
        if refusal is not None:
            self._refusals[refusal].inc(len(seconds))

    def messages(self, method: str, path: Path, count: int, *, refusal: Refusal | None = None) -> None:
        """Count a stream's messages, all alike. The stream itself is a request, `answered` when it ends."""
        self._path_of[method, path].inc(count)
        if refusal is not None:
            self._refusals[refusal].inc(count)

    def transport_refused(self, reason: str, calls: int = 1) -> None:
        """Count calls that gRPC's transport refused by itself, by its own reason, which is finer than `answered`'s."""
        self._transport_refused.labels(reason).inc(calls)

    def before_scrapes(self, act: Callable[[], None]) -> None:
        """Call `act` before each scrape: it counts what was left for later."""
        self.registry.acts.append(act)

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        """Time what is done inside `with`."""
        return Timer(self._phases[phase])

    def took(self, phase: Phase, seconds: float) -> None:
        """Record a phase that was timed elsewhere."""
        self._phases[phase].observe(seconds)

    def embedded(self, token_counts: Iterable[int], truncated: int) -> None:
        """Count a request's sentences, which were embedded."""
        self._sentence_tokens.observe_all(token_counts)
        if truncated:
            self._truncated.inc(truncated)

    def waited(self, seconds: Sequence[float]) -> None:
        """Record how long sentences waited for their batches."""
        self._phases["queue"].observe_all(seconds)

    def batch_ran(self, record: BatchRecord) -> None:
        """Record a batch that the engine ran."""
        self._phases["engine"].observe(record.engine_s)
        self.waited(record.queue_s)
        self._batch_rows.observe(record.rows)
        self._batch_tokens.observe(record.padded_tokens)
        self._batch_efficiency.observe(record.tokens / record.padded_tokens)

    def watch_queue(self, queued: Callable[[], Mapping[str, int]], *, tokens_limit: int, workers: int) -> None:
        """Report at each scrape what waits, by unit (requests, sentences, tokens), and what bounds it."""
        self.registry.register(QueueCollector(queued))
        self._queue_tokens_limit.set(tokens_limit)
        self._workers.set(workers)

    def watch_transport(
        self, figures: Callable[[], Mapping[str, float]], *, limits: Mapping[str, float], reasons: Iterable[str]
    ) -> None:
        """Report at each scrape those of a transport's figures that it has, by name, and what bounds them.

        `reasons` are those for which it refuses calls.
        """
        self.registry.register(TransportCollector(figures, limits))
        for reason in reasons:
            self._transport_refused.labels(reason)

    def watch_device_memory(self, used: Callable[[], float]) -> None:
        """Report `used()`, bytes, at each scrape; NaN where they can't be told."""
        self._gauge("bothends_device_memory_bytes", "In use on the GPU, by whomever.").set_function(used)

    def tested(self, *, success: bool, difference: float) -> None:
        """Record a self-test that ended just now; `difference` is the largest that it saw."""
        self._selftest["success"].set(success)
        self._selftest["timestamp_seconds"].set_to_current_time()
        self._selftest["difference"].set(difference)

    def withdrawn(self) -> None:
        """Count a model that was found unfit to answer."""
        self._withdrawals.inc()

    def reloaded(self, result: Reload) -> None:
        """Count a newer model that was found, and is served now or isn't fit to be."""
        self._reloads_of[result].inc()

    def serving(self, *, name: str, version: str, device: str, provider: str) -> None:
        """Set the model that is served from now on."""
        labels = (name, version, device, provider)
        self._model.labels(*labels).set(1)
        if self._served not in (None, labels):
            self._model.remove(*self._served)
        self._served = labels
