"""Token ids to the final states of a bidirectional LSTM, natively on a CPU.

Knows no bundles, no text and no queues: `bothends` reads weights from a bundle and hands them over.
"""

from ._engine import Encoder, Interrupted, bandwidth, levels, peak

__all__ = ["Encoder", "Interrupted", "bandwidth", "levels", "peak"]
