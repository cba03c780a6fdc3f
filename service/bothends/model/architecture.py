"""Describes an encoder: which cell, how many, how wide, and how a sentence's states become its embedding.

token ids → table → (input projection) → LSTM or GRU, stacked → pooling → (head) → embedding

Checkpoints and bundles both hold this description; weights are kept elsewhere.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..validation import grow_within
from .pooling import POOLINGS, Pooling

_INT32 = 2**31 - 1
_MAX_HOPS = 1024

Languages: TypeAlias = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")], ...],
    Field(max_length=256, description="BCP 47 tags of what it was trained to read, for people; none where nobody said"),
]
Cell = Literal["lstm", "gru"]
GATES: dict[Cell, int] = {"lstm": 4, "gru": 3}
"""Number of blocks of hidden rows in a cell's weights."""


class Head(BaseModel):
    """Linear layer after the pooling, and its activation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(gt=0, le=_INT32, description="numbers that it gives")
    then: Literal["none", "tanh", "relu", "layer_norm"] = "none"
    epsilon: float = Field(1e-5, gt=0, le=1, description="of layer_norm, as PyTorch's eps")


class Attention(BaseModel):
    """Sizes of attention, the pooling: a linear layer and tanh, then a linear layer that scores each step.

    The second one has no biases: the softmax of scores is the same with any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(gt=0, le=_INT32, description="numbers that the first layer gives")
    hops: int = Field(1, gt=0, le=_MAX_HOPS, description="weighted means that are taken, each by scores of its own")


def check_attention(pooling: Pooling, attention: Attention | None) -> None:
    """Raise ValueError unless `attention` is there where it is the pooling, and only there."""
    if (pooling == "attention") != (attention is not None):
        raise ValueError("attention: the pooling of this name has its sizes there, and no other pooling has any")


class EncoderConfig(BaseModel):
    """Architecture of an encoder; together with the weights it is all that PyTorch needs to rebuild it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Cell = "lstm"
    pooling: Pooling = "final_states"
    attention: Attention | None = Field(None, description="sizes of the pooling of that name")
    vocabulary_size: int = Field(gt=0, le=_INT32)
    embedding_size: int = Field(gt=0, le=_INT32, description="of the table")
    input_projection: int | None = Field(
        None, gt=0, le=_INT32, description="numbers that a linear layer makes of a row of the table, if there is one"
    )
    hidden_size: int = Field(gt=0, le=_INT32, description="of one direction, in the top layer")
    hidden_sizes: tuple[Annotated[int, Field(gt=0, le=_INT32)], ...] | None = Field(
        None, description="of each layer, from the bottom up, where they differ"
    )
    projection_size: int | None = Field(
        None,
        gt=0,
        le=_INT32,
        description="of an LSTM's state, where it is projected (PyTorch's proj_size)",
    )
    layers: int = Field(ge=1, le=8)
    bidirectional: bool = True
    bias: bool = Field(True, description="whether the cells have biases")
    reset_after: bool = Field(
        True,
        description="whether a GRU's reset gate is applied after the recurrent weights, as PyTorch and cuDNN have it",
    )
    learned_initial_states: bool = Field(False, description="whether h_0 and c_0 were learned; else they are zeros")
    head: Head | None = None

    @model_validator(mode="after")
    def _a_projection_is_smaller(self) -> Self:
        if self.projection_size is not None and self.cell != "lstm":
            raise ValueError("projection_size: only an LSTM's state can be projected")
        if self.projection_size is not None and self.projection_size >= self.hidden_size:
            raise ValueError(f"projection_size: must be below hidden_size, {self.hidden_size}")
        return self

    @model_validator(mode="after")
    def _attention_has_its_sizes(self) -> Self:
        check_attention(self.pooling, self.attention)
        return self

    @model_validator(mode="after")
    def _widths_are_of_these_layers(self) -> Self:
        if (sizes := self.hidden_sizes) is None:
            return self
        if len(sizes) != self.layers or sizes[-1] != self.hidden_size or len(set(sizes)) == 1:
            raise ValueError(
                f"hidden_sizes: one for each of {self.layers} layers, of which the last is hidden_size, "
                f"{self.hidden_size}, and another isn't"
            )
        if self.projection_size is not None or self.learned_initial_states:
            raise ValueError("hidden_sizes: layers of unequal width have no projection_size or learned_initial_states")
        return self

    @model_validator(mode="after")
    def _only_a_gru_resets(self) -> Self:
        if not self.reset_after and self.cell != "gru":
            raise ValueError("reset_after: only a GRU has a reset gate")
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
    def widths(self) -> tuple[int, ...]:
        """Hidden size of one direction in each layer, from the bottom up."""
        return self.hidden_sizes or (self.hidden_size,) * self.layers

    @property
    def is_uneven(self) -> bool:
        """True if the layers can't be those of one `nn.LSTM` or `nn.GRU`: of unequal width, or resetting first."""
        return self.hidden_sizes is not None or not self.reset_after

    def layer_input_size(self, layer: int) -> int:
        """Return the size of what a layer, from 0, reads of each token."""
        return self.directions * (self.projection_size or self.widths[layer - 1]) if layer else self.input_size

    @property
    def recurrent_bytes(self) -> int:
        """Bytes of one direction's recurrent weights in the widest layer, in float32; every step reads all of them."""
        return 4 * GATES[self.cell] * max(self.widths) ** 2

    @property
    def state_size(self) -> int:
        """Size of one direction's state in the top layer."""
        return self.projection_size or self.hidden_size

    @property
    def final_state_count(self) -> int:
        """Number of states in h_n: those of all layers, or where these are of unequal width, of the top one alone."""
        return self.directions * (1 if self.hidden_sizes else self.layers)

    @property
    def pooled_size(self) -> int:
        """Size of the pooling's output."""
        vectors = POOLINGS[self.pooling].vectors * (self.attention.hops if self.attention else 1)
        return self.directions * self.state_size * vectors

    @property
    def dimension(self) -> int:
        """Size of an embedding, in numbers."""
        return self.head.size if self.head else self.pooled_size

    @property
    def has_halves(self) -> bool:
        """True if an embedding is a forward half followed by a backward half."""
        return self.bidirectional and self.head is None and self.pooled_size == 2 * self.state_size

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
        if self.hidden_sizes:
            parts.append(f"layers of {' and '.join(map(str, self.hidden_sizes))} units")
        if not self.reset_after:
            parts.append("reset before the recurrent weights")
        if self.pooling != "final_states":
            parts.append(f"{self.pooling} pooling" + (f" of {self.attention.hops} hops" if self.attention else ""))
        if self.head:
            parts.append(f"a head of {self.head.size}")
        return ", ".join(parts)


def layer_name(cell: Cell, layer: int, *, is_uneven: bool) -> str:
    """Return the name of a layer's weights in a state dict, with {} for their kind: "lstm.{}_l0"; "_reverse" follows.

    A stack that is uneven (EncoderConfig.is_uneven) has a module for each layer: "lstm.0.{}_l0".
    """
    return f"{cell}.{layer}.{{}}_l0" if is_uneven else f"{cell}.{{}}_l{layer}"
