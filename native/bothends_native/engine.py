"""The CPU engine: it computes the final states of a bidirectional LSTM from token ids.

`bothends` reads the weights from a bundle and hands them over.
"""

from ._engine import Encoder, Interrupted, levels, peak

__all__ = ["Encoder", "Interrupted", "levels", "peak"]
