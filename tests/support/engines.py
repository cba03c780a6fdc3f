"""Engines that serve a bundle here or that a test steers, and a queue in front of one."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bothends.batching.budgets import Budgets, Terms
from bothends.batching.fifo import FifoQueue
from bothends.batching.request import Request
from bothends.engines.contract import TokenIds
from bothends.engines.native import NativeEngine, is_built
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.engines.select import LoadedEngine, candidates
from bothends.model.bundle import Bundle
from bothends.settings import EngineSettings

from .until import TIMEOUT_S

SERVES: type[NativeEngine] | type[OnnxRuntimeEngine] = NativeEngine if is_built() else OnnxRuntimeEngine
"""The engine that serves the packaged model here by default."""


def placed(bundle: Bundle) -> LoadedEngine:
    """The engine that serves a bundle here by default: its rows are a server's to the bit."""
    return next(candidates(bundle, EngineSettings(device="cpu"))).engine


class HeldEngine:
    """An engine that runs a batch only when the test lets it; a sentence's row is its sum and its length."""

    dimension = 2
    pads = True

    def __init__(self) -> None:
        self.batches: list[list[TokenIds]] = []
        self.entered = threading.Semaphore(0)
        self.released = threading.Semaphore(0)

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        self.batches.append(list(sentences))
        self.entered.release()
        assert self.released.acquire(timeout=TIMEOUT_S)
        return rows_of(sentences)

    def await_batch(self) -> None:
        assert self.entered.acquire(timeout=TIMEOUT_S)


class FreeEngine:
    """An engine of the same rows, at once."""

    dimension = 2
    pads = True

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        return rows_of(sentences)


def rows_of(sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
    return np.array([[sum(ids), len(ids)] for ids in sentences], dtype=np.float32)


class EngineQueue(FifoQueue):
    """A queue in front of one engine, which needs no naming."""

    def __init__(self, engine: HeldEngine | FreeEngine, terms: Terms, *args: Any, **options: Any) -> None:
        self.engine = engine
        self.terms = terms
        super().__init__(*args, **options)

    def __enter__(self) -> Self:
        return self

    def submit(self, sentences: Sequence[TokenIds], **options: Any) -> Request:
        return super().submit(sentences, **({"engine": self.engine, "terms": self.terms} | options))


def budgets(**changes: Any) -> Budgets:
    """Small budgets, but for `changes`."""
    few = Budgets(max_batch_rows=4, max_batch_tokens=1000, max_queue_tokens=100, overhead_rows=1.5)
    return replace(few, **changes)


def terms_of(of: Budgets, *, cost: float = 1.0) -> Terms:
    """Terms of a model that tells nobody."""
    return Terms(of, lambda _: None, lambda *_: None, cost)


TERMS = terms_of(budgets())


def fifo_of(engine: HeldEngine | FreeEngine, **changes: Any) -> EngineQueue:
    bounds = {name: changes.pop(name) for name in Budgets.__dataclass_fields__ if name in changes}
    told = {name: changes.pop(name) for name in ("observe", "on_fault") if name in changes}
    terms = replace(terms_of(budgets(**bounds)), **told)
    options: dict[str, Any] = {"workers": 1, "engine_timeout_s": 3600.0}
    return EngineQueue(engine, terms, terms.budgets, **(options | changes))
