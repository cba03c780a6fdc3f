"""Measures what a roofline shows of encoders at a level: runs of one thread, and the roofs above them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from bothends_native import engine
from numpy.typing import NDArray

from bothends.engines.contract import TokenIds
from bothends.engines.native import flat
from bothends.engines.onnx_weights import read
from bothends.model.bundle import Bundle
from bothends.options import Precision
from machine import cache_bytes

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
SIZES = {256: 240, 512: 120, 1024: 60}
"""Sentences of a run, by hidden units; 256 is the packaged bundle, the others have random weights."""
SLOTS = (1, 2, 3, 6, 12, 24, 48)
"""Numbers of sentences that go side by side."""
NUMBER_BYTES = {"float32": 4, "bf16": 2, "int8": 1}
"""Bytes of a weight by precision."""


@dataclass
class Run:
    """One encoder over the same sentences, round by round; `seconds` is of the best."""

    hidden: int
    precision: str
    slots: int
    encoder: Any
    arrays: tuple[Any, Any]
    operations: int
    seconds: float = field(default=float("inf"))

    def round(self) -> None:
        """Measure once more."""
        started = time.thread_time()
        self.encoder.run(*self.arrays)
        self.seconds = min(self.seconds, time.thread_time() - started)

    @property
    def intensity(self) -> float:
        """Operations for each byte of weights that a step reads: two for each slot and weight."""
        return 2 * self.slots / NUMBER_BYTES[self.precision]

    @property
    def achieved(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds


@dataclass
class Roofs:
    """The best of all rounds: operations a second by precision, bytes a second by where they come from."""

    level: str
    peaks: dict[str, float] = field(default_factory=dict)
    bandwidths: dict[str, float] = field(default_factory=dict)

    def round(self) -> None:
        """Measure once more."""
        for precision in PRECISIONS:
            peak = engine.peak(level=self.level, precision=precision)
            self.peaks[precision] = max(peak, self.peaks.get(precision, 0))
        for name, size in _memories().items():
            bandwidth = engine.bandwidth(size, level=self.level)
            self.bandwidths[name] = max(bandwidth, self.bandwidths.get(name, 0))


def _memories() -> dict[str, int]:
    """Bytes to read so that they come from each memory: half of a cache, or four times the largest."""
    second, third = cache_bytes(2), cache_bytes(3)
    return {"L2": second // 2, "L3": third // 4, "DRAM": min(4 * third, 2**30)}


def _layers(hidden: int, embedding: int) -> list[dict[str, NDArray[np.float32]]]:
    """Return one layer of random weights."""
    random, bound = np.random.default_rng(0), hidden**-0.5
    sizes = {"W": (4 * hidden, embedding), "R": (4 * hidden, hidden), "B": (8 * hidden,)}
    return [{key: random.uniform(-bound, bound, (2, *size)).astype(np.float32) for key, size in sizes.items()}]


def runs_of(bundle: Bundle, sentences: list[TokenIds], level: str) -> Iterator[Run]:
    """Yield a run of every size, precision and number of slots, not yet measured."""
    held = read(bundle)
    for hidden, count in SIZES.items():
        own = held.layers if hidden == bundle.config.hidden_size else _layers(hidden, held.table.shape[1])
        arrays = flat(sentences[:count])
        # Of a token: two directions, four gates, and for each of their units a product and a sum with each state.
        operations = 2 * 4 * 2 * hidden**2 * len(arrays[0])
        for precision in PRECISIONS:
            for slots in SLOTS:
                encoder = engine.Encoder(held.table, own, precision=precision, level=level, slots=slots)
                yield Run(hidden, precision, slots, encoder, arrays, operations)
