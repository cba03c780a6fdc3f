"""Computes both final states of an LSTM over padded tensors: the result of packing, but faster.

A packed batch runs one small product a time step and has no bfloat16 kernel on a CPU. Padding on the right is never
read by a forward pass before a sentence ends; turn each sentence round within its own length, and the same holds for
the backward pass. Batches of like length keep the padding small.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

_DIRECTIONS = ("", "_reverse")


class States(NamedTuple):
    """Outputs of both directions for a batch, in the dtype that the LSTM computes in."""

    embedding: Tensor
    """The final forward state, then the final backward state: [batch, 2·hidden]."""
    mean: Tensor
    """Each direction's states of the top layer, averaged over the sentence's tokens: [batch, 2·hidden]."""


class PaddedLSTM:
    """The directions of a bidirectional `nn.LSTM`, each as a one-way LSTM over the very same parameters.

    Make it once the LSTM is on its device: what moves parameters later may give the LSTM new ones.
    """

    def __init__(self, lstm: nn.RNNBase) -> None:
        self._layers = [
            [_unidirectional(lstm, layer, direction) for direction in _DIRECTIONS] for layer in range(lstm.num_layers)
        ]

    def __call__(self, vectors: Tensor, lengths: Tensor) -> States:
        """Read `vectors`, float [time, batch, embedding], of which the first `lengths`, int64 [batch], count.

        `lengths` lies on the device of `vectors`, and each is at least 1.
        """
        times = torch.arange(len(vectors), device=vectors.device).unsqueeze(1)
        inside = times < lengths
        turned = torch.where(inside, lengths - 1 - times, times).unsqueeze(2)
        for number, (ahead, back) in enumerate(self._layers):
            forward, _ = ahead(vectors)
            backward, _ = back(_gather(vectors, turned))
            if number < len(self._layers) - 1:  # the layer above reads both directions at each token
                vectors = torch.cat((forward, _gather(backward, turned)), dim=2)
        both = torch.cat((forward, backward), dim=2)  # the backward half in its own order: that of its reading
        embedding = _gather(both, (lengths - 1).view(1, -1, 1)).squeeze(0)
        mean = (both * inside.unsqueeze(2)).sum(dim=0) / lengths.unsqueeze(1)
        return States(embedding, mean)


def _unidirectional(lstm: nn.RNNBase, layer: int, direction: str) -> nn.LSTM:
    """One direction of one layer as an LSTM that shares its parameters."""
    width = lstm.input_size if layer == 0 else 2 * lstm.hidden_size
    with torch.device("meta"):  # its own weights are never used
        alone = nn.LSTM(width, lstm.hidden_size)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(alone, f"{name}_l0", getattr(lstm, f"{name}_l{layer}{direction}"))
    return alone


def _gather(vectors: Tensor, times: Tensor) -> Tensor:
    """Row `times[t, b]` of sentence b at place t: [len(times), batch, width] of `vectors` [time, batch, width]."""
    return vectors.gather(0, times.expand(-1, -1, vectors.shape[2]))
