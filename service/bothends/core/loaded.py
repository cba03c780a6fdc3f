"""A model that is ready to serve: its tokenizer, and its engine on a device, warmed up and self-tested."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..engines.contract import TokenIds
from ..engines.cuda import warm_up
from ..engines.select import LoadedEngine, engines
from ..errors import NotServingError, SelfTestError
from ..model.architecture import EncoderConfig
from ..model.bundle import Bundle, BundleConfig
from ..model.tokenizer import Tokenizer
from ..settings import EmbedderSettings
from .native_code import native_code
from .selftest import SelfTest, self_test

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """Batches that suit a model on an engine, where the settings don't say."""

    max_rows: int
    """Most sentences in one model run; on a GPU the token budget is what bounds a batch."""
    overhead_rows: float
    """Cost of a step besides its rows, in rows."""
    max_tokens: int = 16384
    """Most tokens in one model run, padding included."""
    max_wait_s: float = 0.0
    """Time to wait for more company before a batch that isn't full."""
    at_once: int | None = None
    """Number of runs at once, whatever the cores; None for one a worker that the settings say."""


_CACHES_BYTES = 32 << 20
_IN_CACHES = BatchSizes(16, 1.5, max_tokens=1024)
"""Sizes for a CPU, where a batch of 8 takes about 3.5 times one of 1. Whoever comes waits for the end of a run: 16
sentences of 256 tokens would take 43 ms, and four of them take 11, at 3 % more a token (native, 256 a direction).
"""
_BEYOND_CACHES = BatchSizes(32, 6.0, max_wait_s=0.002)
"""Sizes for weights that no cache holds: they come from memory at each step, for one sentence as for many. With 2048 a
direction, a batch of 16 reads 5 times as many sentences a second as one of 1, and one of 32 some more. It takes 80 ms
or more, beside which 2 ms are little: long enough for callers who were answered together to ask again together."""
_ON_GPU = BatchSizes(4096, 100.0, max_tokens=65536, at_once=2)
"""Sizes for a GPU, whose steps are launches that cost as much as 40 to 250 rows with 256 a direction (worked out for an
H100; benchmarks/gpu measures it). Two runs at once, so that it computes while rows are padded or copied back.
"""
_WIDE_ON_GPU_BYTES = 8 << 20
_WIDE_ON_GPU = BatchSizes(1024, 20.0, at_once=2)
"""Sizes for weights whose rows keep a GPU busy: with 2048 a direction a step costs as much as 13 to 26 rows. Company
that pads costs there, and the gates of 65,536 tokens alone would take 4 GiB."""


def batching(config: EncoderConfig, device: str) -> BatchSizes:
    """Batches for an encoder of these sizes on "cpu" or "cuda"."""
    if device == "cuda":
        return _ON_GPU if config.recurrent_bytes <= _WIDE_ON_GPU_BYTES else _WIDE_ON_GPU
    return _IN_CACHES if config.recurrent_bytes <= _CACHES_BYTES else _BEYOND_CACHES


class LoadedModel:
    """One version of an encoder on one engine. Safe to use from several threads at once."""

    def __init__(self, bundle: Bundle, tokenizer: Tokenizer, engine: LoadedEngine) -> None:
        """Prove `bundle` on this engine. Raises SelfTestError where it doesn't agree with PyTorch."""
        self.config = bundle.config
        self.card = bundle.card
        self.path = bundle.path.resolve()  # a link may lead elsewhere by the time that it is loaded anew
        self.tokenizer = tokenizer
        self.device = engine.device
        self.provider = engine.provider
        self.dimension = engine.dimension
        self.pads = engine.pads
        self.is_withdrawn = False
        self.why_withdrawn = ""
        self._bundle = replace(bundle, model=b"")  # its weights are the engine's now; they aren't kept
        self._engine = engine
        at_once = batching(self.config, self.device).at_once
        self._places: AbstractContextManager[object] = (
            nullcontext() if at_once is None else threading.BoundedSemaphore(at_once)
        )
        """Places of runs, so many as there is memory for on a GPU."""
        self.self_test = self.prove(engine.run)

    @classmethod
    def load(cls, bundle: Bundle, settings: EmbedderSettings) -> Self:
        """Place `bundle` on the best engine that `settings` allow and that proves itself.

        Raises BundleError, SelfTestError among them, or DeviceError.
        """
        with native_code:
            return cls._load(bundle, settings)

    @classmethod
    def _load(cls, bundle: Bundle, settings: EmbedderSettings) -> Self:
        config = bundle.config
        tokenizer = Tokenizer(bundle.tokenizer, max_tokens=config.max_tokens, source=bundle.path / "tokenizer.json")
        tokenizer.check_vocabulary(config.vocabulary_size)
        failure: SelfTestError | None = None
        for engine in engines(bundle, settings):
            if failure:
                _log.warning("%s serves: the engine before it failed its self-test: %s", engine.provider, failure)
            if engine.device == "cuda":  # on a CPU the golden sentences warm what there is to warm
                suited = batching(config, engine.device)
                warm_up(
                    engine,
                    max_rows=settings.max_batch_rows or suited.max_rows,
                    max_tokens=settings.max_batch_tokens or suited.max_tokens,
                    longest=config.max_tokens,
                    at_once=suited.at_once or settings.workers,
                )
            try:
                return cls(bundle, tokenizer, engine)
            except SelfTestError as error:
                failure = error
        assert failure is not None  # noqa: S101  there is at least one engine, or none could be placed
        raise failure

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Embed `sentences`, as any engine. Raises NotServingError if the model was withdrawn, even meanwhile."""
        with self._running():
            return self._engine.run(sentences)

    def run_flat(self, token_ids: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Embed sentences as arrays, as `run` does. They aren't kept."""
        with self._running():
            return self._engine.run_flat(token_ids, offsets)

    def prove(self, run: Callable[[Sequence[TokenIds]], NDArray[np.float32]]) -> SelfTest:
        """Run the golden sentences through `run`, which leads here. Raises SelfTestError, or what `run` refuses by."""
        return self_test(self._bundle, self.tokenizer, run, tolerance=self._engine.tolerance)

    def share(self) -> object | None:
        """Return what native code borrows to compute by itself, while this model lives; None where it can't."""
        return self._engine.share()

    def warm_up(self) -> None:
        """Make ready the thread that calls it, so that no request waits for what a first run needs there."""
        self._engine.warm_up()

    def withdraw(self, why: str) -> None:
        """Answer no request any more, not even those whose batch is running; `why` is what callers are told."""
        self.why_withdrawn = why
        self.is_withdrawn = True
        self.stop()

    def stop(self) -> None:
        """End the runs that go on, as soon as the engine can."""
        self._engine.stop()

    def matches(self, config: BundleConfig) -> bool:
        """Return whether it was made of what the bundle with this config holds."""
        return self.config == config

    def another(self, config: BundleConfig) -> str | None:
        """Describe the model with this config, where its name or dimension is another than this one's; else None."""
        mine, others = (f"{of.name} of {of.dimension} numbers" for of in (self.config, config))
        return None if mine == others else f"{others} where {mine} is served"

    @contextmanager
    def _running(self) -> Iterator[None]:
        self._check_trusted()
        with native_code, self._places:
            yield
        self._check_trusted()

    def _check_trusted(self) -> None:
        if self.is_withdrawn:
            raise NotServingError("the model that was to answer is no longer trusted")
