"""The CPU engine: it computes the final states of a bidirectional LSTM from token ids.

`bothends` reads the weights from a bundle and hands them over.
"""

from ._engine import Encoder, Interrupted, bandwidth, levels, peak

__all__ = ["Encoder", "Interrupted", "bandwidth", "levels", "peak"]
