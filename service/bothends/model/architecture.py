"""Describes an encoder: which cell, how many, how wide, and how a sentence's states become its embedding.

token ids → table → (input projection) → LSTM or GRU, stacked → pooling → (head) → embedding

Checkpoints and bundles both hold this description; weights are kept elsewhere.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..validation import grow_within

_INT32 = 2**31 - 1

Languages: TypeAlias = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")], ...],
    Field(max_length=256, description="BCP 47 tags of what it was trained to read, for people; none where nobody said"),
]
Cell = Literal["lstm", "gru"]
GATES: dict[Cell, int] = {"lstm": 4, "gru": 3}
"""Number of blocks of hidden rows in a cell's weights."""

Pooling = Literal["final_states", "max", "mean", "last_output", "first_and_last_output"]
"""Way in which the top layer's states become one vector; MEANING describes each.

A new one is computed in two places, which tests hold to each other: model/graph.py for ONNX, and for PyTorch
bothends_export/encoder.py.
"""

MEANING: dict[Pooling, str] = {
    "final_states": "cat(h_n[-2], h_n[-1]), each direction's state once it has read the whole sentence",
    "max": "the largest of each number over all steps of output",
    "mean": "the mean over all steps of output",
    "last_output": "output[-1], whose backward half has read one token: only for a head that was trained on it",
    "first_and_last_output": "cat(output[0], output[-1]), as flair's DocumentRNNEmbeddings have it",
}
"""Meaning of each pooling, with `output` as PyTorch's, of a sentence by itself."""


class Head(BaseModel):
    """Linear layer after the pooling, and its activation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(gt=0, le=_INT32, description="numbers that it gives")
    then: Literal["none", "tanh", "relu", "layer_norm"] = "none"
    epsilon: float = Field(1e-5, gt=0, le=1, description="of layer_norm, as PyTorch's eps")


class EncoderConfig(BaseModel):
    """Architecture of an encoder; together with the weights it is all that PyTorch needs to rebuild it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Cell = "lstm"
    pooling: Pooling = "final_states"
    vocabulary_size: int = Field(gt=0, le=_INT32)
    embedding_size: int = Field(gt=0, le=_INT32, description="of the table")
    input_projection: int | None = Field(
        None, gt=0, le=_INT32, description="numbers that a linear layer makes of a row of the table, if there is one"
    )
    hidden_size: int = Field(gt=0, le=_INT32, description="of one direction")
    projection_size: int | None = Field(
        None,
        gt=0,
        le=_INT32,
        description="of an LSTM's state, where it is projected (PyTorch's proj_size)",
    )
    layers: int = Field(ge=1, le=8)
    bidirectional: bool = True
    bias: bool = Field(True, description="whether the cells have biases")
    learned_initial_states: bool = Field(False, description="whether h_0 and c_0 were learned; else they are zeros")
    head: Head | None = None

    @model_validator(mode="after")
    def _a_projection_is_smaller(self) -> Self:
        if self.projection_size is not None and self.cell != "lstm":
            raise ValueError("projection_size: only an LSTM's state can be projected")
        if self.projection_size is not None and self.projection_size >= self.hidden_size:
            raise ValueError(f"projection_size: must be below hidden_size, {self.hidden_size}")
        return self

    @property
    def directions(self) -> int:
        """Number of directions: 2 if a second cell reads from the end."""
        return 2 if self.bidirectional else 1

    @property
    def input_size(self) -> int:
        """Size of the first layer's input for each token."""
        return self.input_projection or self.embedding_size

    @property
    def recurrent_bytes(self) -> int:
        """Bytes of one direction's recurrent weights in one layer, in float32; every step reads all of them."""
        return 4 * GATES[self.cell] * self.hidden_size**2

    @property
    def state_size(self) -> int:
        """Size of one direction's state."""
        return self.projection_size or self.hidden_size

    @property
    def pooled_size(self) -> int:
        """Size of the pooling's output."""
        return self.directions * self.state_size * (2 if self.pooling == "first_and_last_output" else 1)

    @property
    def dimension(self) -> int:
        """Size of an embedding, in numbers."""
        return self.head.size if self.head else self.pooled_size

    @property
    def has_halves(self) -> bool:
        """True if an embedding is a forward half followed by a backward half."""
        return self.bidirectional and self.head is None and self.pooling != "first_and_last_output"

    def check_nested_dimensions(self, sizes: Sequence[int]) -> None:
        """Raise ValueError if `sizes` can't be nested dimensions, which are the first k/2 numbers of each half."""
        if sizes and not self.has_halves:
            raise ValueError("nested_dimensions: an embedding without a forward and a backward half has none")
        if not grow_within(sizes, self.dimension):
            raise ValueError(f"nested_dimensions: sizes go up and stay below {self.dimension}")

    def described(self) -> str:
        """Description in a few words: "5-layer bidirectional LSTM, max pooling"."""
        direction = "bidirectional" if self.bidirectional else "one-way"
        parts = [f"{self.layers}-layer {direction} {self.cell.upper()}"]
        if self.pooling != "final_states":
            parts.append(f"{self.pooling} pooling")
        if self.head:
            parts.append(f"a head of {self.head.size}")
        return ", ".join(parts)
