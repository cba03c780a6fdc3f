"""An embedder and its supervisor, with engines that a test can break."""

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bothends.core.embedder import Embedder
from bothends.core.loaded import LoadedModel
from bothends.core.proof import prove
from bothends.core.supervisor import Supervisor
from bothends.engines.contract import TokenIds
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.engines.select import LoadedEngine
from bothends.errors import BundleError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.model.versions import fingerprint, newest
from bothends.observe.metrics import Metrics
from bothends.settings import EmbedderSettings

from .until import TIMEOUT_S

WORDS = ["there will be dragons"]


class Faulty:
    """The bundle's own engine, with faults that the test chooses."""

    device, provider, pads = "cpu", "CPUExecutionProvider", True

    def __init__(self, bundle: Bundle) -> None:
        self._session = OnnxRuntimeEngine(bundle)
        self.dimension = bundle.config.dimension
        self.tolerance = bundle.config.tolerance
        self.stops = 0
        self.off = 0.0
        self.raises: Exception | None = None
        self.entered = threading.Semaphore(0)
        self.goes_on = threading.Event()
        self.goes_on.set()

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        self.entered.release()
        assert self.goes_on.wait(TIMEOUT_S)
        if self.raises is not None:
            raise self.raises
        return self._session.run(sentences) + np.float32(self.off)

    def stop(self) -> None:
        self.stops += 1


class Supervised:
    """An embedder of the newest bundle in a folder, and its supervisor. Each model's engine is in `engines`."""

    def __init__(
        self,
        root: Path,
        *,
        selftest_s: float = 0.02,
        reload_s: float = 0.02,
        timeout_s: float = 5.0,
        start: bool = True,
        **supervision: Any,
    ) -> None:
        """`supervision` is more of what a Supervisor takes. One that isn't to `start` runs what is due when told to."""
        self.engines: list[Faulty] = []
        self.fitness: list[bool] = []
        self.broken_loads = 0
        self.broken_by: Exception = BundleError("the disk is gone")
        self.metrics = Metrics()
        self.settings = EmbedderSettings(workers=2, engine_timeout_s=timeout_s)
        seen = fingerprint(root)
        self.embedder = Embedder(self.load(Bundle.open(newest(root))), settings=self.settings, metrics=self.metrics)
        self.supervisor = Supervisor(
            self.embedder,
            root,
            self.load,
            prove=partial(prove, settings=self.settings),
            seen=seen,
            selftest_s=selftest_s,
            reload_s=reload_s,
            on_fitness=self.fitness.append,
            **({"min_interval_s": 0.02} | supervision),
        )
        if start:
            self.supervisor.start()

    def load(self, bundle: Bundle) -> LoadedModel:
        if self.broken_loads:
            self.broken_loads -= 1
            raise self.broken_by
        self.engines.append(Faulty(bundle))
        tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
        return LoadedModel(bundle, tokenizer, cast("LoadedEngine", self.engines[-1]))

    def shows(self, series: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(series, {"model": self.embedder.name} | labels)

    def close(self) -> None:
        for engine in self.engines:
            engine.goes_on.set()
        self.supervisor.close()
        assert self.embedder.close(timeout_s=TIMEOUT_S)
