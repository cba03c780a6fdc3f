"""Lists the engines that may serve a bundle by its settings, best first, judged by what is installed.

Whoever loads a model self-tests them in this order and takes the first that passes.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import BundleError
from ..model.bundle import Bundle
from ..settings import EngineSettings
from . import cuda, native
from .contract import Engine
from .fallback import Fallback

_EXPORT = "export it anew with `bothends export` of this version"


class LoadedEngine(Engine, Protocol):
    """An engine that holds a bundle's weights on a device."""

    @property
    def device(self) -> str:
        """Device that it runs on, "cpu" or "cuda"."""
        ...

    @property
    def provider(self) -> str:
        """Name of the part that does the arithmetic, for a person and for metrics."""
        ...

    @property
    def tolerance(self) -> float:
        """Largest difference that any of its numbers may have from PyTorch's."""
        ...

    def warm_up(self) -> None:
        """Make ready the thread that calls it: on a GPU each makes handles of its own at its first run."""
        ...

    def run_flat(self, token_ids: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows as `run` gives them, of token ids after each other: sentence s has those from offsets[s] to
        offsets[s + 1], and there are one more offsets than sentences. The arrays aren't kept.
        """
        ...

    def share(self) -> object | None:
        """Return what native code borrows to compute by itself; None where it is to call `run_flat`."""
        ...

    def stop(self) -> None:
        """End the runs that go on, as soon as it can: they raise NotServingError. Later ones aren't touched."""
        ...


class Candidate(NamedTuple):
    """An engine that may serve a bundle."""

    engine: LoadedEngine
    fallback: Fallback | None = None
    """Why the native engine, which would have come first, couldn't be placed; None where it was, or wasn't wanted."""


def candidates(bundle: Bundle, settings: EngineSettings) -> Iterator[Candidate]:
    """The engines that `settings` allow, one placed when the one before isn't good enough.

    Whichever it is, it holds no number that isn't finite: each reads the model by `sound_graph`.
    Raises DeviceError if what was asked for can't be had, BundleError if the model isn't what config.json says.
    """
    device = choose_device(settings)
    if settings.needs_native:
        yield Candidate(_native(bundle, settings))
        return
    fallback = None
    if settings.engine == "auto" and device == "cpu" and (fallback := native.obstacle(bundle.config)) is None:
        try:
            yield Candidate(_native(bundle, settings))
        except BundleError as error:  # what no engine may serve, onnxruntime's refuses too
            fallback = Fallback(f"the native engine refuses this model: {error}", _EXPORT)
    from .onnxruntime import OnnxRuntimeEngine  # onnxruntime takes 20 MB and 50 ms: it is loaded only to serve with it

    yield Candidate(OnnxRuntimeEngine(bundle, device=device, max_gpu_bytes=settings.max_gpu_bytes), fallback)


def choose_device(settings: EngineSettings) -> str:
    """The device that will be used: the one asked for, or what "auto" stands for here."""
    if settings.device != "auto":
        return settings.device
    return "cuda" if cuda.is_installed() and not settings.needs_native else "cpu"


def _native(bundle: Bundle, settings: EngineSettings) -> native.NativeEngine:
    return native.NativeEngine(bundle, precision=settings.precision, level=settings.native_level)
