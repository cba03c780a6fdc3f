"""Recurrent layers that PyTorch has no single module for: of unequal width, or of GRUs that reset before their product.

Each layer is a module of one layer with PyTorch's names: `lstm.0.weight_ih_l0`, `lstm.1.weight_ih_l0_reverse`, …
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from bothends.model.architecture import EncoderConfig

Final = Tensor | tuple[Tensor, Tensor]
"""h_n, or h_n and c_n of an LSTM, each [layers·directions, batch, hidden]."""


class UnevenCells(nn.ModuleList):
    """Stacked layers, called as an `nn.LSTM` or `nn.GRU` is, over packed sequences.

    Of layers of unequal width, the final states are the top one's alone.
    """

    def __init__(self, config: EncoderConfig) -> None:
        kind = nn.LSTM if config.cell == "lstm" else nn.GRU if config.reset_after else GRUResettingFirst
        super().__init__(
            kind(config.layer_input_size(layer), hidden_size, bias=config.bias, bidirectional=config.bidirectional)
            for layer, hidden_size in enumerate(config.widths)
        )
        self._has_equal_widths = config.hidden_sizes is None
        self._directions = config.directions

    def forward(self, below: PackedSequence, initial: Final | None = None) -> tuple[PackedSequence, Final]:
        """Return the top layer's output, and the final states; `initial` are the first states of all layers."""
        finals: list[Final] = []
        for number, layer in enumerate(self):
            own = slice(number * self._directions, (number + 1) * self._directions)
            below, final = layer(below, None if initial is None else _each(initial, own))
            finals.append(final)
        if not self._has_equal_widths:
            return below, finals[-1]
        joined = [torch.cat(states) for states in zip(*map(_tuple, finals), strict=True)]
        return below, (joined[0], joined[1]) if len(joined) > 1 else joined[0]


class GRUResettingFirst(nn.GRU):
    """GRU whose reset gate is applied to the state before its product: Keras's reset_after=False, the original's form.

    n = tanh(W_n·x + b_in + R_n·(r ∘ h) + b_hn), step by step. Its weights are those of an `nn.GRU` of one layer.
    """

    def forward(  # type: ignore[override]  # nn.GRU takes tensors that aren't packed, too
        self, sequence: PackedSequence, initial: Tensor | None = None
    ) -> tuple[PackedSequence, Tensor]:
        """Return what an `nn.GRU` of one layer returns for a packed sequence."""
        vectors, lengths = pad_packed_sequence(sequence, batch_first=True)
        if initial is None:
            initial = vectors.new_zeros(1 + self.bidirectional, len(vectors), self.hidden_size)
        ends = lengths.to(vectors.device)
        read = [self._read(vectors, ends, initial[index], end) for index, end in enumerate(self._ends())]
        output = torch.cat([steps for steps, _ in read], dim=2)
        packed = pack_padded_sequence(output, lengths, batch_first=True, enforce_sorted=False)
        return packed, torch.stack([state for _, state in read])

    def _ends(self) -> tuple[str, ...]:
        return ("_l0", "_l0_reverse")[: 1 + self.bidirectional]

    def _read(self, vectors: Tensor, ends: Tensor, state: Tensor, end: str) -> tuple[Tensor, Tensor]:
        """One direction's states [batch, time, hidden], with anything behind a sentence's end, and the final ones."""
        by_input = nn.functional.linear(vectors, getattr(self, f"weight_ih{end}"), self._bias("ih", end))
        weights = getattr(self, f"weight_hh{end}").chunk(3)
        found = self._bias("hh", end)
        biases = [None] * 3 if found is None else found.chunk(3)
        times = range(vectors.shape[1])
        steps = {}
        for time in reversed(times) if end.endswith("_reverse") else times:
            reset, update, new = by_input[:, time].chunk(3, dim=1)
            reset = torch.sigmoid(reset + nn.functional.linear(state, weights[0], biases[0]))
            update = torch.sigmoid(update + nn.functional.linear(state, weights[1], biases[1]))
            new = torch.tanh(new + nn.functional.linear(reset * state, weights[2], biases[2]))
            state = torch.where((time < ends).unsqueeze(1), (1 - update) * new + update * state, state)
            steps[time] = state
        return torch.stack([steps[time] for time in times], dim=1), state

    def _bias(self, kind: str, end: str) -> Tensor | None:
        return getattr(self, f"bias_{kind}{end}") if self.bias else None


def _tuple(final: Final) -> tuple[Tensor, ...]:
    return final if isinstance(final, tuple) else (final,)


def _each(initial: Final, own: slice) -> Final:
    return (initial[0][own], initial[1][own]) if isinstance(initial, tuple) else initial[own]
