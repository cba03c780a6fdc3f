"""Computes the top states of an LSTM over sentences of different lengths, with little padding.

On a CPU, a packed batch needs one small product for each time step, and there is no bfloat16 kernel. So a batch is cut
in time: over the first steps an LSTM reads all sentences as one tensor, over the next ones only the longer sentences,
from the states that it left them, and so on. Cuts are made where they save more padding than they cost. The other
direction reads each sentence from its own end. On a GPU, cuDNN handles packed batches well, in both directions at once.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from bothends_export.pooling import TopStates

from .device import send

Numbers = NDArray[np.int64]
_DIRECTIONS = ("", "_reverse")
STEP_COST, CALL_COST = 3, 190
"""Costs of a time step, and of a call with its gradient, in addition to its rows, in steps of one row: fitted to 1
to 256 rows and 1 to 30 steps of 256 units in bfloat16, on one core of an AMD EPYC with AVX-512."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Range of time steps over which some of the sentences are read, as one tensor [steps, rows, width]."""

    steps: int
    rows: int
    """Number of sentences that are longer than its start; they are the last ones of those in the cut before it."""
    ahead: Numbers
    """The token that each place of it reads, int64 [steps · rows]; behind a sentence's end its last one again."""
    back: Numbers
    """The same for the direction that begins at a sentence's end."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a batch: tokens [tokens] of all sentences, concatenated, and positions in the outputs of the cuts."""

    cuts: list[Cut]
    last: Numbers
    """Place of each sentence's last output, in either direction, int64 [batch]."""
    tokens: tuple[Numbers, Numbers]
    """Place of each token's output, forward and backward, int64 [tokens]."""
    padded: Numbers
    """Number of the token of each step, int64 [batch, time]; of what stands behind a sentence's end, 0."""

    @classmethod
    def of(cls, lengths: Numbers) -> "Layout":
        """Return the layout for sentences of these lengths, int64 [batch], each at least 1."""
        order = np.argsort(lengths, kind="stable")
        sizes, starts = lengths[order], (np.cumsum(lengths) - lengths)[order]
        cuts: list[Cut] = []
        index = np.zeros((len(lengths), int(sizes[-1])), dtype=np.int64)
        done = 0
        for begin, end in cuts_of(sizes):
            first = int(np.searchsorted(sizes, begin, side="right"))
            times = np.minimum(np.arange(begin, end)[:, np.newaxis], sizes[first:] - 1)
            cuts.append(
                Cut(
                    steps=end - begin,
                    rows=len(order) - first,
                    ahead=(starts[first:] + times).ravel(),
                    back=(starts[first:] + sizes[first:] - 1 - times).ravel(),
                )
            )
            count = (end - begin) * (len(order) - first)
            index[order[first:], begin:end] = done + np.arange(count).reshape(end - begin, -1).T
            done += count
        sentence = np.repeat(np.arange(len(lengths)), lengths)
        time = np.arange(len(sentence)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        both = index[sentence, time], index[sentence, lengths[sentence] - 1 - time]
        padded = np.zeros_like(index)
        padded[sentence, time] = np.arange(len(sentence))
        return cls(cuts, index[np.arange(len(lengths)), lengths - 1], both, padded)


def cuts_of(sizes: Numbers) -> list[tuple[int, int]]:
    """Return where to cut the time of a batch at the least cost, as (start, stop) in steps; `sizes` are the lengths of
    its sentences, int64 [batch], in ascending order.
    """
    ends = np.concatenate(([0], np.unique(sizes)))
    active = len(sizes) - np.searchsorted(sizes, ends, side="right")  # sentences that go on after each
    least, before = np.zeros(len(ends)), np.zeros(len(ends), dtype=np.int64)
    for number in range(1, len(ends)):
        cost = least[:number] + (ends[number] - ends[:number]) * (active[:number] + STEP_COST) + CALL_COST
        before[number] = cost.argmin()
        least[number] = cost.min()
    found = []
    number = len(ends) - 1
    while number:
        found.append((int(ends[before[number]]), int(ends[number])))
        number = int(before[number])
    return found[::-1]


class RaggedLSTM:
    """Both directions of a bidirectional `nn.LSTM`, each as a one-way LSTM over the same parameters.

    Make it after the LSTM is on its device, since moving it may replace its parameters.
    """

    def __init__(self, lstm: nn.RNNBase, *, reads_steps: bool = True) -> None:
        """Compute by the parameters of `lstm`, a bidirectional `nn.LSTM`. `reads_steps` is whether anybody reads the
        states of every step, and not the final ones alone.
        """
        self._reads_steps = reads_steps
        self._layers = [
            [_unidirectional(lstm, layer, direction) for direction in _DIRECTIONS] for layer in range(lstm.num_layers)
        ]

    def __call__(self, vectors: Tensor, lengths: Numbers) -> TopStates:
        """Read the vectors of all tokens, float [tokens, embedding], of sentences of `lengths` one after the other.

        Returns the top layer's states in the dtype that the LSTM computes in.
        """
        layout = Layout.of(lengths)
        for number, (ahead, back) in enumerate(self._layers):
            forward = _read(ahead, vectors, [(cut, cut.ahead) for cut in layout.cuts])
            backward = _read(back, vectors, [(cut, cut.back) for cut in layout.cuts])
            if number < len(self._layers) - 1 or self._reads_steps:  # both directions at each token
                vectors = torch.cat([_rows(forward, layout.tokens[0]), _rows(backward, layout.tokens[1])], dim=1)
        final = torch.cat([_rows(forward, layout.last), _rows(backward, layout.last)], dim=1)
        steps = vectors.new_empty(0)
        if self._reads_steps:
            steps = _rows(vectors, layout.padded.ravel()).view(*layout.padded.shape, -1)
        return TopStates(final, steps, send(lengths, vectors.device))


class PackedLSTM:
    """Bidirectional `nn.LSTM` over packed batches, with cuDNN's kernels on a GPU.

    It computes in float32 even under autocast, which would use float16, in which small gradients become zero.
    """

    def __init__(self, lstm: nn.RNNBase, *, reads_steps: bool = True) -> None:
        """Compute by `lstm`, a bidirectional `nn.LSTM`. `reads_steps` is as `RaggedLSTM` has it."""
        self._lstm, self._reads_steps = lstm, reads_steps

    def __call__(self, vectors: Tensor, lengths: Numbers) -> TopStates:
        """As `RaggedLSTM` does."""
        order = np.argsort(-lengths, kind="stable")
        starts = np.cumsum(lengths) - lengths
        inside = np.arange(lengths.max())[:, np.newaxis] < lengths[order]
        read = (starts[order] + np.arange(lengths.max())[:, np.newaxis])[inside]  # by time, the longest first
        counts = torch.from_numpy(inside.sum(axis=1))
        with torch.autocast(vectors.device.type, enabled=False):
            output, (h_n, _) = self._lstm(PackedSequence(_rows(vectors, read), counts))
        place = np.argsort(order)
        steps = vectors.new_empty(0)
        if self._reads_steps:
            by_length, _ = pad_packed_sequence(output, batch_first=True)
            steps = _rows(by_length, place)
        final = _rows(torch.cat((h_n[-2], h_n[-1]), dim=1), place)
        return TopStates(final, steps, send(lengths, vectors.device))


def _read(alone: nn.LSTM, vectors: Tensor, cuts: list[tuple[Cut, Numbers]]) -> Tensor:
    """One direction's outputs over all cuts, [places, hidden]."""
    outputs: list[Tensor] = []
    state: tuple[Tensor, Tensor] | None = None
    for cut, read in cuts:
        if state is not None:
            hidden, cell = state
            state = hidden[:, -cut.rows :].contiguous(), cell[:, -cut.rows :].contiguous()
        output, state = alone(_rows(vectors, read).view(cut.steps, cut.rows, -1), state)
        outputs.append(output.flatten(0, 1))
    return torch.cat(outputs)


def _rows(table: Tensor, numbers: Numbers) -> Tensor:
    """Rows of a tensor [rows, …] by their numbers on the host."""
    return table.index_select(0, send(numbers, table.device))


def _unidirectional(lstm: nn.RNNBase, layer: int, direction: str) -> nn.LSTM:
    """One direction of one layer as an LSTM that shares its parameters."""
    width = lstm.input_size if layer == 0 else 2 * lstm.hidden_size
    with torch.device("meta"):  # its own weights are never used
        alone = nn.LSTM(width, lstm.hidden_size)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(alone, f"{name}_l0", getattr(lstm, f"{name}_l{layer}{direction}"))
    return alone
