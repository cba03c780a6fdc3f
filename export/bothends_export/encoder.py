"""Reference encoder in PyTorch, from token ids to sentence embeddings. Everything else is measured against it.

Why the embedding is read from `h_n` and never from `output[-1]`: in `output, (h_n, c_n) = lstm(packed)` of a
bidirectional LSTM, `output[t]` joins the forward state after token t with the backward state after token t, *counted
from the end*. At the last position the backward half has read one token only. The backward pass ends at position 0.
`h_n[-2]` and `h_n[-1]` are the two final states. (An encoder that was trained with another pooling keeps that: see
`pooling.py`.)
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bothends.model.architecture import EncoderConfig
from bothends.model.architecture import Head as HeadConfig
from bothends.model.pooling import POOLINGS

from .cells import UnevenCells
from .pooling import POOL, Attention, TopStates

_THEN = {"none": nn.Identity, "tanh": nn.Tanh, "relu": nn.ReLU}


class EncoderOutput(NamedTuple):
    """Output of the encoder for a batch."""

    embedding: Tensor
    """float32 [batch, dimension]; without a head, of final states: cat(h_n[-2], h_n[-1])."""
    h_n: Tensor
    """float32 [layers·directions, batch, state] in PyTorch's layout: layer 0 forward, layer 0 backward, layer 1 …

    Where layers are of unequal width, it has the top one's alone.
    """


class Head(nn.Module):
    """Linear layer, `linear`, and its activation; `norm` has weights if that is a layer norm."""

    def __init__(self, config: HeadConfig, inputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, config.size)
        if config.then == "layer_norm":
            self.norm: nn.Module = nn.LayerNorm(config.size, eps=config.epsilon)
        else:
            self.norm = _THEN[config.then]()

    def forward(self, pooled: Tensor) -> Tensor:
        """Map float32 [batch, inputs] to float32 [batch, size]."""
        numbers: Tensor = self.norm(self.linear(pooled))
        return numbers


class Encoder(nn.Module):
    """Encoder: embedding table → (linear) → `nn.LSTM` or `nn.GRU` over packed sequences → pooling → (head).

    Its weights have the names that PyTorch gives to `embedding`, `input_projection`, `lstm` or `gru`, `attention`, and
    `head`; learned initial states are `h_0` [layers·directions, state] and `c_0` [layers·directions, hidden]. Cells
    that no single `nn.LSTM` or `nn.GRU` can be, have their layers' names in `UnevenCells`.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        table = torch.empty(config.vocabulary_size, config.embedding_size)
        if not table.is_meta:  # which PyTorch would import its compiler for, a second and a half
            nn.init.normal_(table)
        self.embedding = nn.Embedding.from_pretrained(table, freeze=False)  # type: ignore[no-untyped-call]  # PyTorch's has no types
        if config.input_projection:
            self.input_projection = nn.Linear(config.embedding_size, config.input_projection)
        self.add_module(config.cell, UnevenCells(config) if config.is_uneven else _cells(config))
        if config.learned_initial_states:
            stacked = config.layers * config.directions
            self.h_0 = nn.Parameter(torch.zeros(stacked, config.state_size))
            if config.cell == "lstm":
                self.c_0 = nn.Parameter(torch.zeros(stacked, config.hidden_size))
        if config.attention:
            self.attention = Attention(config.attention, config.directions * config.state_size)
        if config.head:
            self.head = Head(config.head, config.pooled_size)

    @property
    def cells(self) -> nn.RNNBase:
        """Recurrent layers: the `nn.LSTM` or `nn.GRU`. Raises TypeError if they aren't one (`UnevenCells`)."""
        cells = getattr(self, self.config.cell)
        if not isinstance(cells, nn.RNNBase):
            raise TypeError(f"a {self.config.described()} is no single module of PyTorch's")
        return cells

    @classmethod
    def of_weights(cls, config: EncoderConfig, weights: dict[str, Tensor]) -> "Encoder":
        """Return an encoder in eval mode with these weights, in float32. Raises ValueError that names a wrong one."""
        with torch.device("meta"):  # names and shapes, before anything of a size that may be wrong is allocated
            encoder = cls(config)
        expected = encoder.state_dict()
        for name, tensor in expected.items():
            if name not in weights:
                raise ValueError(f"the tensor {name} is missing")
            if weights[name].shape != tensor.shape:
                raise ValueError(
                    f"{name} has shape {list(weights[name].shape)}, config.json asks for {list(tensor.shape)}"
                )
        if extra := sorted(weights.keys() - expected.keys()):
            raise ValueError(f"unknown tensor {extra[0]}; the encoder has {', '.join(expected)}")
        encoder.load_state_dict({name: tensor.float() for name, tensor in weights.items()}, assign=True)
        return encoder.eval()

    def forward(self, token_ids: Tensor, lengths: Tensor) -> EncoderOutput:
        """Embed int64 `token_ids` [batch, time], of which only the first `lengths` [batch] (>= 1) of each row are
        used.
        """
        vectors = self.embedding(token_ids)
        if self.config.input_projection:
            vectors = self.input_projection(vectors)
        packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
        output, final = getattr(self, self.config.cell)(packed, self._initial(len(lengths)))
        h_n = final[0] if self.config.cell == "lstm" else final
        steps = h_n.new_empty(0)
        if POOLINGS[self.config.pooling].reads_steps:
            steps, _ = pad_packed_sequence(output, batch_first=True)
        ends = torch.cat(tuple(h_n[-self.config.directions :]), dim=1)
        return EncoderOutput(self.pool(TopStates(ends, steps, lengths.to(steps.device))), h_n)

    def pool(self, states: TopStates) -> Tensor:
        """Return the embeddings, float [batch, dimension], that the top layer's states make."""
        pooled = self.attention(states) if self.config.attention else POOL[self.config.pooling](states)
        return self.head(pooled) if self.config.head else pooled

    def _initial(self, batch: int) -> Tensor | tuple[Tensor, Tensor] | None:
        """Return learned states for each sentence, [layers·directions, batch, …]; None, which means zeros, if there are
        none.
        """
        if not self.config.learned_initial_states:
            return None
        h_0 = self.h_0.unsqueeze(1).repeat(1, batch, 1)
        return (h_0, self.c_0.unsqueeze(1).repeat(1, batch, 1)) if self.config.cell == "lstm" else h_0


def _cells(config: EncoderConfig) -> nn.RNNBase:
    kinds: dict[str, type[nn.LSTM | nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
    options = {"proj_size": config.projection_size} if config.projection_size else {}
    return kinds[config.cell](
        config.input_size,
        config.hidden_size,
        config.layers,
        bias=config.bias,
        bidirectional=config.bidirectional,
        **options,
    )
