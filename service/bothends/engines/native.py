"""Engine that computes with bothends-native on a CPU. It needs no padding.

Weights are read from the bundle's model.onnx, like those of onnxruntime.
"""

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal

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
from .bounds import tolerance
from .contract import TokenIds
from .encoder_speeds import EncoderSpeeds
from .fallback import Fallback
from .native_parts import remedy
from .onnx_weights import read

_log = logging.getLogger(__name__)
MAX_WIDTH = 1 << 14
"""Largest size of the table's vectors and of a layer's states: what native/engine/given_weights.cpp lets in."""
_COMPUTES = "it serves every cell, pooling and head, of layers that are less wide"
_WORTH = 1.1
"""Products a second, over float32's, below which a precision brings nothing: gates cost the same in each."""
_TURNS = 4
_CACHES_BYTES = 32 << 20
"""Weights of one direction that no cache holds: there memory is what a step waits for, and fewer bytes are faster."""


def is_built() -> bool:
    """Return True if bothends-native is installed in this version; another version doesn't count."""
    return find_spec("bothends_native") is not None and misfit() is None


def warn_if_slow(precision: Precision, level: Level, recurrent_bytes: int) -> None:
    """Log one line if this processor computes no faster in `precision` than in float32, by 0.1 s of a core.

    `recurrent_bytes` is the size of one direction's recurrent weights in float32.
    """
    if precision == "float32" or recurrent_bytes > _CACHES_BYTES:
        return
    times = speedup(precision, level)
    if times < _WORTH:
        _log.warning(
            "--precision %s is no faster than float32 on this processor (%.2f × its products a second) and less "
            "exact: leave it out%s",
            precision,
            times,
            ", or try int8" if precision == "bf16" else "",
        )


def speedup(precision: Precision, level: Level) -> float:
    """Return how many times as many products as in float32 this processor computes in `precision`, from registers.

    Both are measured in seconds of a core, in turns, and the best of each counts: other work on the machine takes
    turns from either, or slows a core's other half, and makes neither faster.
    """
    from bothends_native.engine import peak  # needed only to serve with it

    rates = [(peak(level=level, precision=precision), peak(level=level, precision="float32")) for _ in range(_TURNS)]
    reduced, full = zip(*rates, strict=True)
    return float(max(reduced) / max(full))


def obstacle(config: BundleConfig) -> Fallback | None:
    """Return why the native engine can't compute a model of this config; None if it can."""
    if not is_built():
        return Fallback(misfit() or "the native engine isn't installed", remedy("engine"))
    if (missing := lacks(config)) is not None:
        why = f"the native engine doesn't compute {missing}"
        return Fallback(why, _COMPUTES, EncoderSpeeds.of_record().computed(config))
    return None


def lacks(config: EncoderConfig) -> str | None:
    """Name, for a person, what of this encoder the native engine can't compute; None where it can all."""
    widest = max(config.embedding_size, *config.widths)
    return f"tables or layers of {widest:,} numbers" if widest > MAX_WIDTH else None


def _cell(config: EncoderConfig) -> Literal["lstm", "gru", "gru_reset_before"]:
    """Return what the engine calls the cell."""
    return config.cell if config.reset_after else "gru_reset_before"


class NativeEngine:
    """Encoder of a bundle in bothends-native. Any number of threads may call; a run uses the one that calls it, and
    cores that no caller uses.
    """

    device = "cpu"
    pads = False

    def __init__(
        self, bundle: Bundle, *, precision: Precision = "float32", level: Level = "auto", threads: int = 1
    ) -> None:
        """Pack the bundle's weights for the instructions of `level`; "auto" is the best that the processor has.

        Helpers compute only while fewer than `threads` threads do in this process, of all its native engines.
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
            self._encoder = engine.Encoder(
                weights.table,
                weights.layers,
                cell=_cell(bundle.config),
                pooling=bundle.config.pooling,
                input_projection=weights.input_projection,
                attention=weights.attention,
                head=weights.head,
                precision=precision,
                level=level,
                threads=threads,
            )
        except ValueError as error:
            raise BundleError(f"{bundle.path / MODEL} can't be loaded: {printable(error)}") from error
        self._stopped = engine.Interrupted
        self.dimension: int = self._encoder.dimension
        self.provider = f"native/{self._encoder.level}/{precision}"
        self.tolerance = max(bundle.config.tolerance, tolerance(bundle.config, precision))
        if self.dimension != bundle.config.dimension:
            raise BundleError(f"{bundle.path / MODEL} gives {self.dimension} numbers, config.json says another number")
        warn_if_slow(precision, level, bundle.config.recurrent_bytes)

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Return embeddings float32 [sentences, dimension]. A sentence's bits depend on that sentence alone.

        Raises ValueError for a sentence without tokens or with an id outside the table, and NotServingError if `stop`
        ended the run.
        """
        return self.run_flat(*flat(sentences))

    def run_flat(
        self, token_ids: NDArray[np.int32], offsets: NDArray[np.int64], *, threads: int | None = None
    ) -> NDArray[np.float32]:
        """Return the embeddings of sentences given as arrays, as `run` computes them.

        With `threads` it uses so many, whatever others do, else cores that are idle; bits are the same with any number.
        """
        try:
            return self._encoder.run(token_ids, offsets, threads=threads)
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
