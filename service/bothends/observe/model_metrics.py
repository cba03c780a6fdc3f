"""Metrics of each served model, labelled by its name: what it computed, how it was batched, and how its tests went.

Names are chosen by operators, never by callers, so that there are as many series as models.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from ..engines.contract import BatchRecord
from .tally import Histogram, Timer

Phase = Literal["tokenise", "queue", "engine", "serialise"]
Reload = Literal["served", "refused"]
"""Outcome of a look at a newer model."""
PHASES: tuple[Phase, ...] = get_args(Phase)
RELOADS: tuple[Reload, ...] = get_args(Reload)
# fmt: off
SECONDS = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
TOKENS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
# fmt: on
_MODEL = ("model",)


class ModelFamilies:
    """Metrics in a registry that have one series for each model."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, text: str, bounds: Sequence[float], labels: Sequence[str] = _MODEL) -> Histogram:
            return Histogram(f"bothends_{name}", text, bounds, registry, labels=labels)

        def gauge(name: str, text: str, labels: Sequence[str] = _MODEL) -> Gauge:
            return Gauge(f"bothends_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, labels: Sequence[str] = _MODEL) -> Counter:
            return Counter(f"bothends_{name}", text, labels, registry=registry)

        self.phase_seconds = histogram(
            "phase_seconds",
            "Time in each phase: tokenise and serialise once a request, or once for small ones that came together; "
            "queue once a sentence, engine once a batch.",
            SECONDS,
            ("model", "phase"),
        )
        self.sentence_tokens = histogram("sentence_tokens", "Tokens read of each sentence.", TOKENS)
        self.truncated = counter("truncated_sentences", "Sentences cut to the model's limit.")
        self.in_pieces = counter("sentences_in_pieces", "Sentences longer than the model reads, read in pieces.")
        self.batch_rows = histogram("batch_rows", "Sentences in each model run.", ROWS)
        self.batch_tokens = histogram("batch_tokens", "Tokens in each model run, padding included.", TOKENS)
        self.batch_efficiency = histogram(
            "batch_efficiency_ratio", "Share of each model run that is not padding.", SHARES
        )
        self.selftest_success = gauge("selftest_success", "1 if the last self-test passed, else 0.")
        self.selftest_time = gauge("selftest_timestamp_seconds", "When it ran, in Unix time.")
        self.selftest_difference = gauge(
            "selftest_difference", "Largest difference of an embedding's number from PyTorch's then."
        )
        self.withdrawals = counter("model_withdrawals", "Times that the model was found unfit, and loaded anew.")
        self.reloads = counter("model_reloads", "Attempts to serve a newer model.", ("model", "result"))
        labels = ("model", "name", "version", "device", "provider")
        self.info = gauge("model_info", "A model that is served; always 1.", labels)


class ModelMetrics:
    """Series of one model, which exist with value zero from the start."""

    def __init__(self, families: ModelFamilies, model: str) -> None:
        """Count for the model that callers know by this name."""
        self._model = model
        self._phases = {phase: families.phase_seconds.of(model, phase) for phase in PHASES}
        self._sentence_tokens = families.sentence_tokens.of(model)
        self._truncated = families.truncated.labels(model)
        self._in_pieces = families.in_pieces.labels(model)
        self._batch_rows = families.batch_rows.of(model)
        self._batch_tokens = families.batch_tokens.of(model)
        self._batch_efficiency = families.batch_efficiency.of(model)
        self._selftest_success = families.selftest_success.labels(model)
        self._selftest_time = families.selftest_time.labels(model)
        self._selftest_difference = families.selftest_difference.labels(model)
        self._withdrawals = families.withdrawals.labels(model)
        self._reloads = {result: families.reloads.labels(model, result) for result in RELOADS}
        self._info = families.info
        self._served: tuple[str, ...] | None = None

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        """Return a context manager that measures the time of a phase."""
        return Timer(self._phases[phase])

    def took(self, phase: Phase, seconds: float) -> None:
        """Record the time of a phase that was measured elsewhere."""
        self._phases[phase].observe(seconds)

    def embedded(self, token_counts: Iterable[int], truncated: int, *, in_pieces: int = 0) -> None:
        """Count the embedded sentences of a request."""
        self._sentence_tokens.observe_all(token_counts)
        if truncated:
            self._truncated.inc(truncated)
        if in_pieces:
            self._in_pieces.inc(in_pieces)

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

    def tested(self, *, success: bool, difference: float) -> None:
        """Record a self-test that has just ended; `difference` is the largest that it saw."""
        self._selftest_success.set(success)
        self._selftest_time.set_to_current_time()
        self._selftest_difference.set(difference)

    def withdrawn(self) -> None:
        """Count a model that was found unhealthy and withdrawn."""
        self._withdrawals.inc()

    def reloaded(self, result: Reload) -> None:
        """Count a newer model that was found, and whether it is served now or was rejected."""
        self._reloads[result].inc()

    def serving(self, *, name: str, version: str, device: str, provider: str) -> None:
        """Record what is served from now on; `name` is the bundle's own."""
        labels = (self._model, name, version, device, provider)
        self._info.labels(*labels).set(1)
        if self._served not in (None, labels):
            self._info.remove(*self._served)
        self._served = labels
