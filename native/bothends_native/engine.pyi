"""The CPU engine: it computes sentences' embeddings by recurrent cells from token ids."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_Level = Literal["auto", "avx512", "avx512f", "avx2", "neon_bf16", "neon_dot", "neon", "portable"]
_Precision = Literal["float32", "bf16", "int8"]
_Cell = Literal["lstm", "gru", "gru_reset_before"]
_Pooling = Literal["final_states", "max", "mean", "last_output", "first_and_last_output", "attention"]

class Interrupted(Exception):  # noqa: N818  no error: it was asked for
    """A run ended before its time, since `Encoder.stop` was called."""

def levels() -> list[str]:
    """The levels that this processor can run, best first; "portable" is always the last."""

def peak(*, level: _Level = "auto", precision: _Precision = "float32") -> float:
    """Multiplications and additions a second of one thread, from registers: what a run can't exceed. Takes 0.1 s."""

class Encoder:
    """An encoder's weights at one level and precision. Safe to use from several threads at once.

    An embedding's bits depend on its sentence, the level and the precision alone: not on batch, order, slots, threads
    or what the table holds already.
    """

    def __init__(
        self,
        table: NDArray[np.float32] | NDArray[np.float16],
        layers: Sequence[Mapping[str, NDArray[np.float32]]],
        *,
        cell: _Cell = "lstm",
        pooling: _Pooling = "final_states",
        input_projection: Mapping[str, NDArray[np.float32]] | None = None,
        attention: Mapping[str, NDArray[np.float32]] | None = None,
        head: Mapping[str, Any] | None = None,
        precision: _Precision = "float32",
        level: _Level = "auto",
        table_rows: int | None = None,
        slots: int | None = None,
        threads: int = 1,
    ) -> None:
        """Take weights as the initialisers of ONNX's LSTM or GRU have them; float32, but for the table.

        `table` is [vocabulary, embedding]; it isn't copied and must not change. Of each layer W
        [directions, gates·hidden, inputs] and R [directions, gates·hidden, hidden], and where it has them B
        [directions, 2·gates·hidden], h_0 and an LSTM's c_0 [directions, 1, hidden], and P
        [directions·hidden, directions·state], by which states are projected: R reads states that aren't.
        Directions are one or two; widths of layers may differ. Gates are in the order i, o, f, c, or z, r, h.
        `gru_reset_before` is ONNX's linear_before_reset=0.

        `input_projection` has `weight` [embedding, inputs] and `bias`; `attention`, which the pooling of that name
        needs, `hidden` [directions·state, size], `bias` and `scores` [size, hops]; `head` has `weight`
        [pooled, dimension] and `bias`, `then` ("none", "tanh", "relu" or "layer_norm"), and for a layer norm
        `norm_weight`, `norm_bias` and `epsilon`.

        `table_rows`: most tokens whose input product is kept, by default as many as 64 MiB hold. `slots`: sentences
        that a thread computes side by side, by default 12, and 48 where weights are too large for the caches.
        `threads`: most that compute at once in this process, of all callers and encoders, while helpers of this one
        are among them.
        Raises ValueError for anything that isn't so.
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
        """Units of one direction of the top layer."""

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
