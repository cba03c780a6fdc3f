"""Tells how much faster the native engine computes an encoder of some size than onnxruntime, by the benchmark's record.

The record is encoder_speeds.json beside this file, which `make bench ARGS="--your-encoder --docs"` writes.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

from ..model.architecture import EncoderConfig


@dataclass(frozen=True, slots=True)
class MeasuredSize:
    """Size of an encoder that was measured: bidirectional LSTMs, read by their final states."""

    hidden_size: int
    layers: int
    times: float
    """Sentences of the native engine in float32 over those of onnxruntime, in batches, in a second of one core."""


@dataclass(frozen=True, slots=True)
class EncoderSpeeds:
    """The benchmark's figures."""

    machine: str
    """Day and processor of the measurement."""
    sizes: tuple[MeasuredSize, ...]

    @classmethod
    @cache
    def of_record(cls) -> Self:
        """Read the benchmark's record."""
        read = json.loads((files(__package__) / "encoder_speeds.json").read_bytes())
        return cls(read["machine"], tuple(MeasuredSize(**size) for size in read["sizes"]))

    def nearest(self, config: EncoderConfig) -> MeasuredSize:
        """Return the measured size that is nearest to an encoder's, by ratios of widths and of numbers of layers."""
        width = max(config.widths)

        def distance(size: MeasuredSize) -> float:
            return abs(math.log(size.hidden_size / width)) + abs(math.log(size.layers / config.layers))

        return min(self.sizes, key=distance)

    def computed(self, config: EncoderConfig) -> str:
        """Compare onnxruntime with the native engine at an encoder's size."""
        size = self.nearest(config)
        layers = f"{size.layers} layer{'s' if size.layers > 1 else ''}"
        return (
            f"about {100 / size.times:.0f} % of the sentences that the native engine would "
            f"(measured at {size.hidden_size} units, {layers}: {size.times:.1f} × slower)"
        )
