"""Engine that computes with bothends-native on a CPU. It needs no padding.

Weights are read from the bundle's model.onnx, like those of onnxruntime.
"""

import logging
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from ..errors import BundleError, DeviceError, NotServingError
from ..model.architecture import EncoderConfig
from ..model.bundle import MODEL, Bundle, BundleConfig
from ..native_version import misfit
from ..options import Precision
from ..settings import Level
from ..text import printable
from .arrays import flat
from .contract import TokenIds
from .fallback import Fallback
from .native_parts import remedy
from .onnx_weights import read

_log = logging.getLogger(__name__)
_TOLERANCES: dict[Precision, float] = {"float32": 0.0, "bf16": 5e-3, "int8": 3e-2}
"""Tolerated difference of a golden sentence's number from PyTorch's, at least: about twice what tests/native saw of
random encoders. A wrong gate, half or order is off by 0.1 and more; so may text be that repeats itself."""


PROMISED_COSINES: dict[str, float] = {"bf16": 0.9999, "int8": 0.9995}
"""Least cosine to float32's embedding by precision, for any text that doesn't repeat itself."""


_COMPUTES = "it serves bidirectional LSTMs with biases that are read by their final states"
_WORTH = 1.1
"""Products a second, over float32's, below which a precision brings nothing: gates cost the same in each."""
_CACHES_BYTES = 32 << 20
"""Weights of one direction that no cache holds: there memory is what a step waits for, and fewer bytes are faster."""


def is_built() -> bool:
    """Return True if bothends-native is installed in this version; another version doesn't count."""
    return find_spec("bothends_native") is not None and misfit() is None


def warn_if_slow(precision: Precision, level: Level, recurrent_bytes: int) -> None:
    """Log one line if this processor computes no faster in `precision` than in float32, by a measurement of 0.1 s.

    `recurrent_bytes` is the size of one direction's recurrent weights in float32.
    """
    if precision == "float32" or recurrent_bytes > _CACHES_BYTES:
        return
    from bothends_native.engine import peak  # needed only to serve with it

    times = peak(level=level, precision=precision) / peak(level=level, precision="float32")
    if times < _WORTH:
        _log.warning(
            "--precision %s is no faster than float32 on this processor (%.2f × its products a second) and less "
            "exact: leave it out%s",
            precision,
            times,
            ", or try int8" if precision == "bf16" else "",
        )


def obstacle(config: BundleConfig) -> Fallback | None:
    """Return why the native engine can't compute a model of this config; None if it can."""
    if not is_built():
        return Fallback(misfit() or "the native engine isn't installed", remedy("engine"))
    if (lacks := _lacks(config)) is not None:
        return Fallback(f"the native engine doesn't compute {lacks}", _COMPUTES)
    return None


def _lacks(config: EncoderConfig) -> str | None:
    """Name, for a person, the parts of this encoder that can't be computed here; None where all can."""
    missing = {
        "GRUs": config.cell != "lstm",
        "encoders of one direction": not config.bidirectional,
        "cells without biases": not config.bias,
        "projected states": config.projection_size is not None,
        "input projections": config.input_projection is not None,
        "learned initial states": config.learned_initial_states,
        f"{config.pooling} pooling": config.pooling != "final_states",
        "heads": config.head is not None,
    }
    found = [what for what, is_so in missing.items() if is_so]
    return " or ".join(found) if found else None


class NativeEngine:
    """LSTMs of a bundle in bothends-native. A run uses the thread that calls it; any number of threads may call."""

    device = "cpu"
    pads = False

    def __init__(self, bundle: Bundle, *, precision: Precision = "float32", level: Level = "auto") -> None:
        """Pack the bundle's weights for the instructions of `level`; "auto" is the best that the processor has.

        Raises DeviceError if the level isn't available here, and BundleError if the model isn't what config.json says.
        """
        if (found := obstacle(bundle.config)) is not None:
            instead = "; onnxruntime computes all: --engine onnxruntime --precision float32"
            raise DeviceError(f"{bundle.path}: {found.why}: {found.remedy}{instead if is_built() else ''}")
        from bothends_native import engine  # needed only to serve with it

        if level not in ("auto", *engine.levels()):
            raise DeviceError(f"level {level}: this processor has {', '.join(engine.levels())}")
        weights = read(bundle)
        if len(weights.table) < bundle.config.vocabulary_size:  # an id past the table would fail its whole batch
            raise BundleError(
                f"{bundle.path / MODEL}: its table has fewer rows than config.json's vocabulary_size, "
                f"{bundle.config.vocabulary_size}"
            )
        try:
            self._encoder = engine.Encoder(weights.table, weights.layers, precision=precision, level=level)
        except ValueError as error:
            raise BundleError(f"{bundle.path / MODEL} can't be loaded: {printable(error)}") from error
        self._stopped = engine.Interrupted
        self.dimension: int = self._encoder.dimension
        self.provider = f"native/{self._encoder.level}/{precision}"
        self.tolerance = max(bundle.config.tolerance, _TOLERANCES[precision])
        if self.dimension != bundle.config.dimension:
            raise BundleError(f"{bundle.path / MODEL} gives {self.dimension} numbers, config.json says another number")
        warn_if_slow(precision, level, bundle.config.recurrent_bytes)

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Return embeddings float32 [sentences, dimension]. A sentence's bits depend on that sentence alone.

        Raises ValueError for a sentence without tokens or with an id outside the table, and NotServingError if `stop`
        ended the run.
        """
        return self.run_flat(*flat(sentences))

    def run_flat(self, token_ids: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the embeddings of sentences given as arrays, as `run` computes them."""
        try:
            return self._encoder.run(token_ids, offsets)
        except self._stopped as error:
            raise NotServingError("the model run was stopped") from error

    def warm_up(self) -> None:
        """Do nothing: threads need no preparation."""

    def share(self) -> object:
        """Return a capsule with which native code computes by itself. Such a run fails where `run` would raise."""
        return self._encoder.share()

    def stop(self) -> None:
        """End the runs in progress, each at its next step."""
        self._encoder.stop()
