"""The CPU engine: it computes the final states of a bidirectional LSTM from token ids."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_Level = Literal["auto", "avx512", "avx512f", "avx2", "neon_bf16", "neon_dot", "neon", "portable"]
_Precision = Literal["float32", "bf16", "int8"]

class Interrupted(Exception):  # noqa: N818  no error: it was asked for
    """A run ended before its time, since `Encoder.stop` was called."""

def levels() -> list[str]:
    """The levels that this processor can run, best first; "portable" is always the last."""

def peak(*, level: _Level = "auto", precision: _Precision = "float32") -> float:
    """Multiplications and additions a second of one thread, from registers: what a run can't exceed. Takes 0.1 s."""

class Encoder:
    """A bidirectional LSTM's weights at one level and precision. Safe to use from several threads at once.

    An embedding is cat(h_n[-2], h_n[-1]) of PyTorch's `nn.LSTM`. Its bits depend on its sentence, the level and the
    precision alone: not on batch, order, slots, threads or what the table holds already.
    """

    def __init__(
        self,
        table: NDArray[np.float32] | NDArray[np.float16],
        layers: Sequence[Mapping[str, NDArray[np.float32]]],
        *,
        precision: _Precision = "float32",
        level: _Level = "auto",
        table_rows: int | None = None,
        slots: int | None = None,
        threads: int = 1,
    ) -> None:
        """Take weights as the initialisers of ONNX's LSTM have them, gates in the order i, o, f, c.

        `table` is [vocabulary, embedding]; it isn't copied and must not change. Of each layer, float32: W
        [2, 4·hidden, inputs], R [2, 4·hidden, hidden], B [2, 8·hidden]. `table_rows`: most tokens whose input product
        is kept, by default as many as 64 MiB hold. `slots`: sentences that a thread computes side by side,
        by default 12, and 48 where weights are too large for the caches. `threads`: most that compute at once in this
        process, of all callers and encoders, while helpers of this one are among them.
        Raises ValueError for anything that isn't so, and for numbers that aren't finite.
        """

    def run(
        self, token_ids: NDArray[np.int32], offsets: NDArray[np.int64], *, threads: int | None = None
    ) -> NDArray[np.float32]:
        """Embeddings [sentences, 2·hidden] of `token_ids`, all sentences after each other.

        Sentence s has those from offsets[s] to offsets[s + 1]; `offsets` begins with 0 and ends with how many there
        are. Releases the GIL. Up to `threads` - 1 of the encoder's own threads help the caller's, as they are free; by
        default where it is worth it, on cores that no caller has used for some milliseconds, until one wants them.
        Raises ValueError for ids outside the table, a sentence without tokens, another dtype or an array in pieces;
        Interrupted if it was stopped.
        """

    def share(self) -> object:
        """What `transport.FastPath` borrows."""

    def stop(self) -> None:
        """End every run that has begun, at its next step; each raises Interrupted. Later runs aren't touched."""

    @property
    def level(self) -> str:
        """The instructions that it uses."""

    @property
    def precision(self) -> str:
        """How weights and states are held; sums are float32 (int8: exact integers)."""

    @property
    def hidden(self) -> int:
        """Numbers of one direction's state."""

    @property
    def dimension(self) -> int:
        """How many numbers an embedding has."""

    @property
    def layers(self) -> int:
        """How many layers there are."""

    @property
    def folded_rows(self) -> int:
        """Tokens whose input product is kept by now."""

    @property
    def bytes(self) -> int:
        """Memory of packed weights and kept rows; the table that was handed over isn't counted."""
