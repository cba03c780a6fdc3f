"""Lists the engines that may serve a bundle under its settings, best first, by what is installed.

The caller self-tests them in this order and takes the first that passes.
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
    """Engine that holds a bundle's weights on a device."""

    @property
    def device(self) -> str:
        """Device that it runs on, "cpu" or "cuda"."""
        ...

    @property
    def provider(self) -> str:
        """Name of the implementation that does the arithmetic, for people and for metrics."""
        ...

    @property
    def tolerance(self) -> float:
        """Largest allowed difference of any number of an embedding from PyTorch's."""
        ...

    def warm_up(self) -> None:
        """Prepare the calling thread: on a GPU each thread makes its own handles at its first run."""
        ...

    def run_flat(self, token_ids: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return rows like `run`, for concatenated token ids: those of sentence s are from offsets[s] to offsets[s +
        1].

        `offsets` has one element more than there are sentences. The arrays aren't kept.
        """
        ...

    def share(self) -> object | None:
        """Return a capsule with which native code computes by itself; None if it has to call `run_flat`."""
        ...

    def stop(self) -> None:
        """End the runs in progress, as soon as it can: they raise NotServingError. Later runs aren't affected."""
        ...


class Candidate(NamedTuple):
    """Engine that may serve a bundle, not placed on a device yet."""

    engine: LoadedEngine
    fallback: Fallback | None = None
    """Reason why the native engine, the first choice, couldn't be used; None if it was used, or not wanted."""


def candidates(bundle: Bundle, settings: EngineSettings, *, threads: int = 1) -> Iterator[Candidate]:
    """Yield the engines that `settings` allow; each is placed on its device only if the one before isn't good enough.

    The native engine helps itself to idle cores, up to `threads` threads for all of its runs at once.
    All read the model by `sound_graph`, so that none holds a number that isn't finite. Raises DeviceError if the
    requested device or engine isn't available, and BundleError if the model isn't what config.json says.
    """
    device = choose_device(settings)
    if settings.needs_native:
        yield Candidate(_native(bundle, settings, threads))
        return
    fallback = None
    if settings.engine == "auto" and device == "cpu" and (fallback := native.obstacle(bundle.config)) is None:
        try:
            yield Candidate(_native(bundle, settings, threads))
        except BundleError as error:  # what no engine may serve, onnxruntime's refuses too
            fallback = Fallback(f"the native engine refuses this model: {error}", _EXPORT)
    from .onnxruntime import OnnxRuntimeEngine  # onnxruntime takes 20 MB and 50 ms: it is loaded only to serve with it

    yield Candidate(OnnxRuntimeEngine(bundle, device=device, max_gpu_bytes=settings.max_gpu_bytes), fallback)


def choose_device(settings: EngineSettings) -> str:
    """Return the device to use: the requested one, or what "auto" means here."""
    if settings.device != "auto":
        return settings.device
    return "cuda" if cuda.is_installed() and not settings.needs_native else "cpu"


def _native(bundle: Bundle, settings: EngineSettings, threads: int) -> native.NativeEngine:
    return native.NativeEngine(bundle, precision=settings.precision, level=settings.native_level, threads=threads)
