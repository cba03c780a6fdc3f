"""Computes every state of an LSTM or GRU from its weights and a batch of vectors, with PyTorch.

PyTorch's own layers are used wherever possible. Only a GRU that resets before its linear layer (ONNX's
`linear_before_reset` = 0), which PyTorch lacks, is computed step by step here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bothends.model.architecture import GATES, Cell

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Direction:
    """Weights of one direction of a layer, with gates in PyTorch's order (i, f, g, o or r, z, n), float32."""

    weight_ih: Array
    """[gates·hidden, input]"""
    weight_hh: Array
    """[gates·hidden, state]"""
    bias_ih: Array
    """Input biases [gates·hidden]; zeros if there are none. `bias_hh` likewise."""
    bias_hh: Array
    weight_hr: Array | None = None
    """[state, hidden], PyTorch's projection."""
    h_0: Array | None = None
    """[state]; None for zeros, as c_0."""
    c_0: Array | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """Weights of stacked layers, each with one direction or two, the forward one first."""

    cell: Cell
    layers: tuple[tuple[Direction, ...], ...]
    linear_before_reset: bool = True
    """True if a GRU applies the reset gate after the linear, as PyTorch does."""

    @property
    def directions(self) -> int:
        """Number of directions, 1 or 2."""
        return len(self.layers[0])

    @property
    def input_size(self) -> int:
        """Size of the vectors that the stack reads."""
        return int(self.layers[0][0].weight_ih.shape[1])

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Hidden size of each layer's cells, from the bottom up."""
        return tuple(int(layer[0].weight_ih.shape[0]) // GATES[self.cell] for layer in self.layers)

    @property
    def hidden_size(self) -> int:
        """Hidden size of the top layer's cells."""
        return self.hidden_sizes[-1]

    @property
    def state_size(self) -> int:
        """Size of one direction's output; less than `hidden_size` if there is a projection."""
        return int(self.layers[-1][0].weight_hh.shape[1])

    @property
    def may_reset_first(self) -> bool:
        """True if its GRUs reset before their linear layer and that may be meant: Keras's of that kind have no biases
        of the state.
        """
        return not self.linear_before_reset and not any(np.any(one.bias_hh) for layer in self.layers for one in layer)

    def as_meant(self) -> "Stack":
        """Return the same weights, with GRUs that reset after their linear layer, as PyTorch's do, unless they may be
        meant as they are.
        """
        return self if self.may_reset_first else replace(self, linear_before_reset=True)


@dataclass(frozen=True, slots=True)
class States:
    """States that a stack computed for a batch, float32."""

    output: Array
    """[batch, time, directions·state], of the top layer. Zeros behind a packed sentence's end."""
    h_n: Array
    """[layers·directions, batch, state]; of layers of unequal width the top one's alone, and so of c_n."""
    c_n: Array | None
    """[layers·directions, batch, hidden]; None for a GRU."""


@torch.inference_mode()
def run(
    stack: Stack,
    vectors: Array,
    lengths: NDArray[np.int64],
    *,
    packed: Sequence[bool],
    dtype: torch.dtype = torch.float32,
) -> States:
    """Return all states for `vectors` [batch, time, input], computed in `dtype` and returned in float32.

    A layer whose `packed` is False reads on to the end of `time`, as if there were no `lengths`.
    """
    below, h_n, c_n = _tensor(vectors, dtype), [], []
    for layer, is_packed in zip(stack.layers, packed, strict=True):
        ends = torch.from_numpy(lengths) if is_packed else torch.full((len(vectors),), vectors.shape[1])
        step = _torch_layer if stack.cell == "lstm" or stack.linear_before_reset else _gru_resetting_first
        below, states, cells = step(stack.cell, layer, below, ends)
        h_n.append(states)
        c_n.append(cells)
    first = 0 if len(set(stack.hidden_sizes)) == 1 else -1
    cells_of_all = [cells for cells in c_n[first:] if cells is not None]
    return States(
        below.float().numpy(),
        torch.cat(h_n[first:]).float().numpy(),
        torch.cat(cells_of_all).float().numpy() if cells_of_all else None,
    )


def noise(stack: Stack, vectors: Array, lengths: NDArray[np.int64]) -> float:
    """Return the largest difference between float32 and float64 results of `stack` for `vectors` [batch, time, input]
    of these lengths, which is about that of two correct libraries. Large recurrent weights amplify it.
    """
    every = [True] * len(stack.layers)
    single, double = (run(stack, vectors, lengths, packed=every, dtype=d) for d in (torch.float32, torch.float64))
    return float(np.abs(single.output - double.output).max())


def _tensor(array: Array, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(dtype)


Layer = tuple[Direction, ...]


def _torch_layer(cell: Cell, layer: Layer, vectors: Tensor, ends: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    first = layer[0]
    hidden, state = first.weight_ih.shape[0] // GATES[cell], first.weight_hh.shape[1]
    make: Callable[..., nn.RNNBase] = nn.LSTM if cell == "lstm" else nn.GRU
    sizes = {"proj_size": state if first.weight_hr is not None else 0} if cell == "lstm" else {}
    with torch.device("meta"):  # else it would fill large weights with random numbers first
        module = make(first.weight_ih.shape[1], hidden, batch_first=True, bidirectional=len(layer) == 2, **sizes).eval()
    module.load_state_dict(
        {
            f"{name}_l0{suffix}": _tensor(array, vectors.dtype)
            for direction, suffix in zip(layer, ("", "_reverse"), strict=False)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            if (array := getattr(direction, name)) is not None
        },
        assign=True,
    )
    h_0 = _initial([direction.h_0 for direction in layer], state, vectors)
    c_0 = _initial([direction.c_0 for direction in layer], hidden, vectors)
    sequence = pack_padded_sequence(vectors, ends, batch_first=True, enforce_sorted=False)
    output, last = module(sequence, (h_0, c_0) if cell == "lstm" else h_0)
    padded, _ = pad_packed_sequence(output, batch_first=True, total_length=vectors.shape[1])
    return (padded, *last) if cell == "lstm" else (padded, last, None)


def _initial(rows: Sequence[Array | None], size: int, vectors: Tensor) -> Tensor:
    made = np.stack([np.zeros(size, np.float32) if row is None else row for row in rows])
    return _tensor(made, vectors.dtype).unsqueeze(1).repeat(1, len(vectors), 1)


def _gru_resetting_first(_: Cell, layer: Layer, vectors: Tensor, ends: Tensor) -> tuple[Tensor, Tensor, None]:
    """n = tanh(W_n·x + R_n·(r ∘ h) + b): ONNX's GRU with linear_before_reset = 0."""
    outputs, lasts = [], []
    for index, direction in enumerate(layer):
        state = _initial([direction.h_0], direction.weight_hh.shape[1], vectors)[0]
        output = vectors.new_zeros(*vectors.shape[:2], state.shape[1])
        for step in range(vectors.shape[1]) if index == 0 else reversed(range(vectors.shape[1])):
            counts = (step < ends).unsqueeze(1)
            state = torch.where(counts, _resetting_first(direction, vectors[:, step], state), state)
            output[:, step] = torch.where(counts, state, 0.0)
        outputs.append(output)
        lasts.append(state)
    return torch.cat(outputs, dim=2), torch.stack(lasts), None


def _resetting_first(direction: Direction, vector: Tensor, state: Tensor) -> Tensor:
    weight_ih, bias_ih = _tensor(direction.weight_ih, vector.dtype), _tensor(direction.bias_ih, vector.dtype)
    by_input = (vector @ weight_ih.T + bias_ih).chunk(3, dim=1)
    recurrent = _tensor(direction.weight_hh, vector.dtype).chunk(3)
    bias = _tensor(direction.bias_hh, vector.dtype).chunk(3)
    reset, update = (torch.sigmoid(by_input[i] + state @ recurrent[i].T + bias[i]) for i in (0, 1))
    new = torch.tanh(by_input[2] + (reset * state) @ recurrent[2].T + bias[2])
    return (1 - update) * new + update * state
