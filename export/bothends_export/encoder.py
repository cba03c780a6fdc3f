"""Reference encoder in PyTorch, from token ids to sentence embeddings. Everything else is measured against it.

Why the embedding is read from `h_n` and never from `output[-1]`: in `output, (h_n, c_n) = lstm(packed)` of a
bidirectional LSTM, `output[t]` joins the forward state after token t with the backward state after token t, *counted
from the end*. At the last position the backward half has read one token only. The backward pass ends at position 0.
`h_n[-2]` and `h_n[-1]` are the two final states. (An encoder whose head was trained on another pooling keeps that: see
`bothends.model.architecture.Pooling`.)
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from bothends.model.architecture import EncoderConfig
from bothends.model.architecture import Head as HeadConfig

_THEN = {"none": nn.Identity, "tanh": nn.Tanh, "relu": nn.ReLU}


class EncoderOutput(NamedTuple):
    """Output of the encoder for a batch."""

    embedding: Tensor
    """float32 [batch, dimension]; without a head, of final states: cat(h_n[-2], h_n[-1])."""
    h_n: Tensor
    """float32 [layers·directions, batch, state] in PyTorch's layout: layer 0 forward, layer 0 backward, layer 1 …"""


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

    Its weights have the names that PyTorch gives to `embedding`, `input_projection`, `lstm` or `gru`, and `head`;
    learned initial states are `h_0` [layers·directions, state] and `c_0` [layers·directions, hidden].
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_size)
        if config.input_projection:
            self.input_projection = nn.Linear(config.embedding_size, config.input_projection)
        kinds = {"lstm": nn.LSTM, "gru": nn.GRU}
        options = {"proj_size": config.projection_size} if config.projection_size else {}
        cells = kinds[config.cell](
            config.input_size,
            config.hidden_size,
            config.layers,
            bias=config.bias,
            bidirectional=config.bidirectional,
            **options,
        )
        self.add_module(config.cell, cells)
        if config.learned_initial_states:
            stacked = config.layers * config.directions
            self.h_0 = nn.Parameter(torch.zeros(stacked, config.state_size))
            if config.cell == "lstm":
                self.c_0 = nn.Parameter(torch.zeros(stacked, config.hidden_size))
        if config.head:
            self.head = Head(config.head, config.pooled_size)

    @property
    def cells(self) -> nn.RNNBase:
        """Recurrent layers: the `nn.LSTM` or `nn.GRU`."""
        cells = getattr(self, self.config.cell)
        assert isinstance(cells, nn.RNNBase)  # noqa: S101  for the type checker
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
        output, final = self.cells(packed, self._initial(len(lengths)))
        h_n = final[0] if self.config.cell == "lstm" else final
        pooled = self._pooled(output, h_n)
        return EncoderOutput(self.head(pooled) if self.config.head else pooled, h_n)

    def _initial(self, batch: int) -> Tensor | tuple[Tensor, Tensor] | None:
        """Return learned states for each sentence, [layers·directions, batch, …]; None, which means zeros, if there are
        none.
        """
        if not self.config.learned_initial_states:
            return None
        h_0 = self.h_0.unsqueeze(1).repeat(1, batch, 1)
        return (h_0, self.c_0.unsqueeze(1).repeat(1, batch, 1)) if self.config.cell == "lstm" else h_0

    def _pooled(self, output: PackedSequence, h_n: Tensor) -> Tensor:
        """Float32 [batch, pooled_size]."""
        pooling = self.config.pooling
        if pooling == "final_states":
            return torch.cat(tuple(h_n[-self.config.directions :]), dim=1)
        padding = -torch.inf if pooling == "max" else 0.0
        steps, lengths = pad_packed_sequence(output, batch_first=True, padding_value=padding)
        if pooling == "max":
            return steps.amax(dim=1)
        if pooling == "mean":
            return steps.sum(dim=1) / lengths.unsqueeze(1).to(steps)
        last = steps[torch.arange(len(lengths)), lengths - 1]
        if pooling == "last_output":
            return last
        if pooling == "first_and_last_output":
            return torch.cat((steps[:, 0], last), dim=1)
        raise ValueError(f"pooling {pooling} isn't computed here")
