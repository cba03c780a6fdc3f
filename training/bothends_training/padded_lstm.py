"""Computes both final states of an LSTM over a padded batch, the way that is fastest on its device.

On a CPU a packed batch runs one small product a time step and has no bfloat16 kernel. Padding on the right is never
read by a forward pass before a sentence ends; turn each sentence round within its own length, and the same holds for
the backward pass. Batches of like length keep the padding small. On a GPU cuDNN packs well, and computes both
directions at once.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .device import send

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

        `lengths` lies on the CPU, and each is at least 1.
        """
        lengths = send(lengths.numpy(), vectors.device)
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


class PackedLSTM:
    """A bidirectional `nn.LSTM` over packed batches, by cuDNN's kernels where it is on a GPU.

    It computes in float32, under autocast too: that would cast to float16, whose smallest gradients are zeros.
    """

    def __init__(self, lstm: nn.RNNBase) -> None:
        self._lstm = lstm

    def __call__(self, vectors: Tensor, lengths: Tensor) -> States:
        """As `PaddedLSTM` does."""
        device = vectors.device
        order = lengths.argsort(descending=True, stable=True)  # here: packing would wait for a GPU to be told
        packed = pack_padded_sequence(vectors.index_select(1, send(order.numpy(), device)), lengths[order])
        with torch.autocast(device.type, enabled=False):
            outputs, (h_n, _) = self._lstm(packed)
        back = send(order.argsort().numpy(), device)
        embedding = torch.cat((h_n[-2], h_n[-1]), dim=1).index_select(0, back)
        padded, _ = pad_packed_sequence(outputs)  # zeros after each sentence's end
        return States(embedding, padded.sum(dim=0).index_select(0, back) / send(lengths.numpy(), device).unsqueeze(1))


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
