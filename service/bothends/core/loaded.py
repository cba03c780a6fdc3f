"""Model that is ready to serve: its tokenizer, and its engine on a device, warmed up and self-tested."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..engines.contract import TokenIds, precision_of
from ..engines.cuda import warm_up
from ..engines.fallback import Fallback
from ..engines.select import LoadedEngine, candidates
from ..errors import NotServingError, SelfTestError
from ..model.bundle import Bundle, BundleConfig
from ..model.tokenizer import Tokenizer
from ..settings import EmbedderSettings
from ..text import shell_word
from .batch_sizes import batching
from .native_code import native_code
from .selftest import SelfTest, self_test

_log = logging.getLogger(__name__)


class LoadedModel:
    """One version of an encoder on one engine. Safe to use from several threads at once."""

    def __init__(
        self, bundle: Bundle, tokenizer: Tokenizer, engine: LoadedEngine, *, fallback: Fallback | None = None
    ) -> None:
        """Prove `bundle` on this engine, which a `fallback` led to. Raises SelfTestError if it differs from PyTorch."""
        self.config = bundle.config
        self.card = bundle.card
        self.path = bundle.path.resolve()  # a link may lead elsewhere by the time that it is loaded anew
        self.tokenizer = tokenizer
        self.device = engine.device
        self.provider = engine.provider
        self.dimension = engine.dimension
        self.pads = engine.pads
        self.fallback = fallback
        """Why the native engine, which `--engine auto` would have taken, doesn't compute it; else None."""
        self.is_withdrawn = False
        self.why_withdrawn = ""
        # Neither is kept: the weights are the engine's now, the vocabulary is the tokenizer's.
        self._bundle = replace(bundle, model=b"", tokenizer="")
        self._engine = engine
        at_once = batching(self.config, self.device).at_once
        self._places: AbstractContextManager[object] = (
            nullcontext() if at_once is None else threading.BoundedSemaphore(at_once)
        )
        """Places of runs, so many as there is memory for on a GPU."""
        self.self_test = self.prove(engine.run)

    @classmethod
    def load(cls, bundle: Bundle, settings: EmbedderSettings) -> Self:
        """Load `bundle` on the best engine that `settings` allow and that passes the self-test.

        Raises BundleError (such as SelfTestError) or DeviceError.
        """
        with native_code:
            return cls._load(bundle, settings)

    @classmethod
    def _load(cls, bundle: Bundle, settings: EmbedderSettings) -> Self:
        config = bundle.config
        tokenizer = Tokenizer(bundle.tokenizer, max_tokens=config.max_tokens, source=bundle.path / "tokenizer.json")
        tokenizer.check_vocabulary(config.vocabulary_size)
        failure: SelfTestError | None = None
        for engine, fallback in candidates(bundle, settings, threads=settings.workers):
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
                model = cls(bundle, tokenizer, engine, fallback=_after(failure, bundle) if failure else fallback)
            except SelfTestError as error:
                failure = error
                continue
            if model.fallback is not None:
                _log.warning("slow: %s: %s", model.fallback.slow(), model.fallback.remedy)
            return model
        assert failure is not None  # noqa: S101  there is at least one engine, or none could be placed
        raise failure

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Embed `sentences` like any engine. Raises NotServingError if the model is withdrawn, even during the run."""
        with self._running():
            return self._engine.run(sentences)

    def run_flat(self, token_ids: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Embed sentences like `run`, given as arrays: sentence i has the ids `token_ids[offsets[i] : offsets[i + 1]]`,
        and `offsets` are int64 [sentences + 1]. The arrays aren't kept.
        """
        with self._running():
            return self._engine.run_flat(token_ids, offsets)

    def prove(self, run: Callable[[Sequence[TokenIds]], NDArray[np.float32]]) -> SelfTest:
        """Run the golden sentences through `run`, which leads here. Raises SelfTestError, or what `run` raises."""
        engine = self._engine
        return self_test(
            self._bundle, self.tokenizer, run, tolerance=engine.tolerance, precision=precision_of(engine.provider)
        )

    def share(self) -> object | None:
        """Return a capsule with which native code computes by itself while this model lives; None if it can't."""
        return self._engine.share()

    def warm_up(self) -> None:
        """Prepare the calling thread, so that no request waits for what a first run needs there."""
        self._engine.warm_up()

    def withdraw(self, why: str) -> None:
        """Answer no more requests, not even those whose batch is running; callers get `why` as the reason."""
        self.why_withdrawn = why
        self.is_withdrawn = True
        self.stop()

    def stop(self) -> None:
        """End the runs in progress, as soon as the engine can."""
        self._engine.stop()

    def matches(self, config: BundleConfig) -> bool:
        """Return True if it was made from a bundle with this config."""
        return self.config == config

    def another(self, config: BundleConfig) -> str | None:
        """Describe the model with this config if its name or dimension differs from this one's; otherwise None."""
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


def _after(failure: SelfTestError, bundle: Bundle) -> Fallback:
    """The fallback from a native engine that failed its self-test; no other engine comes before another."""
    command = f"bothends verify {shell_word(bundle.path)} --engine native"
    return Fallback(
        f"the native engine failed its self-test: {failure}",
        f"`{command}` shows where; if other machines pass, suspect this one's processor or memory",
    )
