"""Defines the server's metrics, and the methods by which other modules count. model_metrics.py has those of each model.

Names and buckets are public; all series exist with value zero before the first request. Units are seconds, tokens and
rows; no label ever holds a caller's text.
"""

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, get_args

from prometheus_client import Counter, Gauge, ProcessCollector

from ..errors import Refusal
from .model_metrics import SECONDS, ModelFamilies, ModelMetrics
from .scrape import QueueCollector, Registry, TransportCollector
from .tally import Histogram, Tally

Path = Literal["native", "python"]
"""What a request took: C++ alone, or Python."""
PATHS: tuple[Path, ...] = get_args(Path)
REFUSALS: tuple[Refusal, ...] = get_args(Refusal)
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


def _installed(*names: str) -> str:
    """Version of the first of these distributions that is there, or nothing; none is loaded for this."""
    for name in names:
        with suppress(PackageNotFoundError):
            return version(name)
    return ""


BUILD: dict[str, str] = {
    "version": version("bothends"),
    "python": platform.python_version(),
    "onnxruntime": _installed("onnxruntime-gpu", "onnxruntime"),
    "kernel": _installed("bothends-native"),
}
"""Labels of `bothends_build_info`; empty where something isn't installed."""


class Metrics:
    """Metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = Registry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter("bothends_requests", "Requests answered.", ("method", "code"), registry=self.registry)
        self._refused = Counter(
            "bothends_refused_requests", "Requests turned away unserved.", ("reason",), registry=self.registry
        )
        self._over_quota = Counter(
            "bothends_over_quota_requests",
            "Requests turned away since their key had had its share.",
            ("method",),
            registry=self.registry,
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
        self._request_seconds = Histogram(
            "bothends_request_seconds",
            "From a request's arrival to its answer.",
            SECONDS,
            self.registry,
            labels=("method",),
        )
        self._queue_tokens_limit = self._gauge("bothends_queue_tokens_limit", "Tokens that may wait.")
        self._workers = self._gauge("bothends_engine_workers", "Model runs that may go on at once.")
        self._count_waiting: Callable[[], tuple[int, int, int]] = lambda: (0, 0, 0)
        self._model_families = ModelFamilies(self.registry)
        self._models: dict[str, ModelMetrics] = {}
        self._gauge("bothends_build_info", "What serves; always 1.", tuple(BUILD)).labels(**BUILD).set(1)
        self._present_at_zero()

    def of(self, model: str) -> ModelMetrics:
        """Return the metrics of the model that callers know by this name."""
        return self._models.setdefault(model, ModelMetrics(self._model_families, model))

    def _gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _present_at_zero(self) -> None:
        self._seconds_of: dict[str, Tally] = {}
        self._count_of: dict[tuple[str, str], Counter] = {}
        self._path_of: dict[tuple[str, Path], Counter] = {}
        self._over_quota_of: dict[str, Counter] = {}
        self._refusals = {reason: self._refused.labels(reason) for reason in REFUSALS}

    def register(self, method: str) -> None:
        """Create the series of `method` with value zero; its calls can be counted from now on."""
        self._seconds_of[method] = self._request_seconds.of(method)
        self._count_of |= {(method, code): self._requests.labels(method, code) for code in CODES}
        self._path_of |= {(method, path): self._path_requests.labels(method, path) for path in PATHS}
        self._over_quota_of[method] = self._over_quota.labels(method)

    def answered(
        self, method: str, code: str, seconds: float, *, refusal: Refusal | None = None, trace_id: str | None = None
    ) -> None:
        """Count a request to a registered method that Python answered: its gRPC status code, and the `seconds` that it
        took.

        `refusal` is the reason if it was refused. `trace_id` is that of a stored trace for an exemplar.
        """
        self._count_of[method, code].inc()
        self._path_of[method, "python"].inc()
        self._seconds_of[method].observe(seconds, trace_id)
        self._refuse(method, 1, refusal)

    def answered_all(
        self, method: str, code: str, seconds: Sequence[float], *, path: Path | None, refusal: Refusal | None = None
    ) -> None:
        """Count similar requests as `answered` does one; `path` is None if the transport refused them."""
        self._count_of[method, code].inc(len(seconds))
        if path is not None:
            self._path_of[method, path].inc(len(seconds))
        self._seconds_of[method].observe_all(seconds)
        self._refuse(method, len(seconds), refusal)

    def _refuse(self, method: str, count: int, refusal: Refusal | None) -> None:
        if refusal is not None:
            self._refusals[refusal].inc(count)
        if refusal == "quota":
            self._over_quota_of[method].inc(count)

    def messages(self, method: str, path: Path, count: int, *, refusal: Refusal | None = None) -> None:
        """Count the messages of a stream, all alike. The stream itself is counted by `answered` when it ends."""
        self._path_of[method, path].inc(count)
        if refusal is not None:
            self._refusals[refusal].inc(count)

    def transport_refused(self, reason: str, calls: int = 1) -> None:
        """Count calls that the gRPC transport refused by itself; `reason` is more specific than the refusal in
        `answered`.
        """
        self._transport_refused.labels(reason).inc(calls)

    def before_scrapes(self, act: Callable[[], None]) -> None:
        """Call `act` before each scrape, to add counts that were collected elsewhere."""
        self.registry.acts.append(act)

    def watch_queue(self, queued: Callable[[], Mapping[str, int]], *, tokens_limit: int, workers: int) -> None:
        """Report at each scrape how much waits, by unit (requests, sentences, tokens), and the limits."""
        self.registry.register(QueueCollector(queued, lambda: self._count_waiting()))
        self._queue_tokens_limit.set(tokens_limit)
        self._workers.set(workers)

    def add_waiting(self, count_waiting: Callable[[], tuple[int, int, int]]) -> None:
        """Add what `count_waiting` returns to the length of the queue: requests, sentences and tokens that wait
        elsewhere.
        """
        self._count_waiting = count_waiting

    def watch_transport(
        self, figures: Callable[[], Mapping[str, float]], *, limits: Mapping[str, float], reasons: Iterable[str]
    ) -> None:
        """Report at each scrape a transport's measurements, by name, as far as it has them, and their limits.

        `reasons` are those for which it refuses calls.
        """
        self.registry.register(TransportCollector(figures, limits))
        for reason in reasons:
            self._transport_refused.labels(reason)

    def watch_device_memory(self, used: Callable[[], float]) -> None:
        """Report `used()`, in bytes, at each scrape; NaN if unknown."""
        self._gauge("bothends_device_memory_bytes", "In use on the GPU, by whomever.").set_function(used)
