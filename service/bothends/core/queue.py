"""The queue that all models of a process share, and the terms on which each model's sentences are batched."""

from collections.abc import Callable, Sequence

from ..batching.budgets import Budgets, Terms
from ..batching.fifo import FifoQueue
from ..batching.queue import Queue
from ..batching.source_queue import SourceQueue
from ..engines.contract import Engine, Fault
from ..engines.cuda_driver import memory_used
from ..model.architecture import EncoderConfig
from ..observe.metrics import Metrics
from ..observe.model_metrics import ModelMetrics
from ..settings import BatchingSettings
from .batch_sizes import batching
from .loaded import LoadedModel

_WORK_OF_1 = 2 << 20
"""Bytes of recurrent weights in the packaged model, whose tokens count once."""


def queue_of(
    models: Sequence[LoadedModel], settings: BatchingSettings, metrics: Metrics, *, has_source: bool = False
) -> Queue:
    """Make the queue in front of `models` and the threads that run them; `metrics` reports on it. If it `has_source`,
    these are to pull from a source that keeps its callers' turns; else sentences wait in order of arrival.
    """
    all_budgets = [_budgets(model, settings) for model in models]
    at_once = [batching(model.config, model.device).at_once or settings.workers for model in models]
    on_gpu = any(model.device == "cuda" for model in models)
    widest = Budgets(
        max_batch_rows=max(budgets.max_batch_rows for budgets in all_budgets),
        max_batch_tokens=max(budgets.max_batch_tokens for budgets in all_budgets),
        max_queue_tokens=settings.max_queue_tokens,
        overhead_rows=max(budgets.overhead_rows for budgets in all_budgets),
        max_wait_s=max(budgets.max_wait_s for budgets in all_budgets),
    )
    workers, timeout_s, spare = max(at_once), settings.engine_timeout_s, int(on_gpu)
    queue: Queue = (
        SourceQueue(workers=workers, engine_timeout_s=timeout_s, spare=spare)
        if has_source
        else FifoQueue(widest, workers=workers, engine_timeout_s=timeout_s, spare=spare)
    )
    metrics.watch_queue(lambda: queue.queued._asdict(), tokens_limit=settings.max_queue_tokens, workers=queue.workers)
    if on_gpu:
        metrics.watch_device_memory(memory_used)
    return queue


def terms_of(
    model: LoadedModel,
    settings: BatchingSettings,
    metrics: ModelMetrics,
    on_fault: Callable[[Fault, Engine], None],
) -> Terms:
    """Make the batching terms for `model` and later versions of it: budgets by `settings` and by the model's size, and
    what a token costs.

    Batches are reported to `metrics`; `on_fault` is called with an engine's fault and the engine.
    """
    return Terms(_budgets(model, settings), metrics.batch_ran, on_fault, _cost(model.config))


def _budgets(model: LoadedModel, settings: BatchingSettings) -> Budgets:
    suited = batching(model.config, model.device)
    return Budgets(
        max_batch_rows=settings.max_batch_rows or suited.max_rows,
        max_batch_tokens=settings.max_batch_tokens or suited.max_tokens,
        max_queue_tokens=settings.max_queue_tokens,
        overhead_rows=suited.overhead_rows,
        max_wait_s=suited.max_wait_s,
    )


def _cost(config: EncoderConfig) -> float:
    """Return the work of a token by the recurrent weights that it meets, which most of its time goes to."""
    return config.recurrent_bytes * config.layers * config.directions / _WORK_OF_1
