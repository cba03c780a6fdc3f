"""Batch sizes that suit a model on a device, used where the settings don't say."""

from dataclasses import dataclass

from ..model.architecture import EncoderConfig


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """Batch sizes that suit a model on an engine, used where the settings don't say."""

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
"""Sizes for a CPU, where a batch of 8 takes about 3.5 times as long as one of 1. New sentences wait for the end of a
run: 16 sentences of 256 tokens would take 43 ms, and four of them take 11, at 3 % more a token (native, 256 a
direction)."""
_BEYOND_CACHES = BatchSizes(32, 6.0, max_wait_s=0.002)
"""Sizes for weights that fit no cache: they are read from memory at each step, for one sentence as for many. With
2048 a direction, a batch of 16 reads 5 times as many sentences a second as one of 1, and one of 32 some more. It
takes 80 ms or more, compared with which a wait of 2 ms is little, but enough for callers that were answered together
to ask again."""
_ON_GPU = BatchSizes(4096, 100.0, max_tokens=65536, at_once=2)
"""Sizes for a GPU, whose steps are launches that cost as much as 40 to 250 rows with 256 a direction (worked out for an
H100; benchmarks/gpu measures it). Two runs at once, so that it computes while rows are padded or copied back.
"""
_WIDE_ON_GPU_BYTES = 8 << 20
_WIDE_ON_GPU = BatchSizes(1024, 20.0, at_once=2)
"""Sizes for weights whose rows keep a GPU busy: with 2048 a direction a step costs as much as 13 to 26 rows. Company
that pads costs there, and the gates of 65,536 tokens alone would take 4 GiB."""


def batching(config: EncoderConfig, device: str) -> BatchSizes:
    """Return the batch sizes for an encoder of this config on "cpu" or "cuda"."""
    if device == "cuda":
        return _ON_GPU if config.recurrent_bytes <= _WIDE_ON_GPU_BYTES else _WIDE_ON_GPU
    return _IN_CACHES if config.recurrent_bytes <= _CACHES_BYTES else _BEYOND_CACHES
