"""Encoders as people write them in PyTorch, right and wrong, and their exports by PyTorch's own exporters."""

import logging
import warnings
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

VOCABULARY, EMBEDDING, HIDDEN = 50, 6, 5


class Written(nn.Module):
    """An encoder of ids or vectors that reads its states in one of many ways. Scriptable, and traceable too."""

    read: Final[str]
    packed: Final[bool]
    batch_first: Final[bool]
    ids: Final[bool]
    has_head: Final[bool]
    is_lstm: Final[bool]

    def __init__(
        self,
        read: str,
        *,
        cell: str = "lstm",
        layers: int = 1,
        bidirectional: bool = True,
        packed: bool = True,
        batch_first: bool = True,
        ids: bool = True,
        head: bool = False,
        mixed: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.read, self.packed, self.batch_first, self.ids, self.has_head = read, packed, batch_first, ids, head
        self.is_lstm = cell == "lstm"
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING)
        make = nn.LSTM if cell == "lstm" else nn.GRU
        self.rnn = make(EMBEDDING, HIDDEN, layers, bidirectional=bidirectional, batch_first=batch_first and not mixed)
        self.directions = 2 if bidirectional else 1
        self.head = nn.Linear(self.directions * HIDDEN, 4)
        self.eval()

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """One row a sentence; `lengths` is used where it is asked for."""
        vectors = self.embedding(tokens) if self.ids else tokens
        if self.packed:
            packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=self.batch_first, enforce_sorted=False)
            states, last = self.rnn(packed)
            output, _ = pad_packed_sequence(states, batch_first=self.batch_first)
        else:
            output, last = self.rnn(vectors)
        if self.is_lstm:
            h_n, c_n = last
        else:
            h_n, c_n = last, last
        if not self.batch_first:
            output = output.transpose(0, 1)
        rows = self.pooled(output, h_n, c_n, lengths)
        return self.head(rows) if self.has_head else rows

    def pooled(  # noqa: C901  TorchScript takes no table of functions
        self, output: Tensor, h_n: Tensor, c_n: Tensor, lengths: Tensor
    ) -> Tensor:
        """`output` is batch first."""
        if self.read == "final_states":
            return torch.cat((h_n[-2], h_n[-1]), dim=1) if self.directions == 2 else h_n[-1]
        if self.read == "swapped_halves":
            return torch.cat((h_n[-1], h_n[-2]), dim=1)
        if self.read == "last_step":
            return output[:, -1]
        if self.read == "step_before_padding":
            index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, output.size(2))
            return output.gather(1, index).squeeze(1)
        if self.read == "first_step":
            return output[:, 0]
        if self.read == "padding_in_max":
            return output.max(dim=1)[0]
        if self.read == "padding_in_mean":
            return output.mean(dim=1)
        if self.read == "wrong_layer":
            return torch.cat((h_n[0], h_n[1]), dim=1)
        if self.read == "viewed_h_n":
            return h_n.reshape(h_n.size(1), -1)
        if self.read == "one_direction":
            return h_n[-1]
        if self.read == "cell_state":
            return torch.cat((c_n[-2], c_n[-1]), dim=1)
        outside = (torch.arange(output.size(1)).unsqueeze(0) >= lengths.unsqueeze(1)).unsqueeze(2)
        if self.read == "max":
            return output.masked_fill(outside, -1e9).max(dim=1)[0]
        if self.read == "mean":
            return output.masked_fill(outside, 0.0).sum(dim=1) / lengths.unsqueeze(1)
        attention = torch.softmax(output.sum(dim=2).masked_fill(outside.squeeze(2), -1e9), dim=1)
        return (output * attention.unsqueeze(2)).sum(dim=1)


class Unpacked(nn.Module):
    """The same without lengths, as most first tries are."""

    def __init__(self, read: str, **sizes: Any) -> None:
        super().__init__()
        self.inner = Written(read, packed=False, **sizes)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.inner(tokens, torch.ones(1, dtype=torch.int64))
        return found


def example(module: nn.Module, *, size: int = 3, time: int = 8) -> tuple[Tensor, ...]:
    """Inputs to trace it with: ragged, the first of full length."""
    inner = module.inner if isinstance(module, Unpacked) else module
    shape = (size, time) if inner.batch_first else (time, size)
    tokens = torch.randint(0, VOCABULARY, shape) if inner.ids else torch.randn(*shape, EMBEDDING)
    lengths = torch.tensor([max(1, time - 2 * row) for row in range(size)])
    return (tokens,) if isinstance(module, Unpacked) else (tokens, lengths)


def to_onnx(
    module: nn.Module, file: Path, *, free: str = "batch time", size: int = 3, time: int = 8, opset: int = 17
) -> Path:
    """Export by PyTorch's older exporter, with these axes dynamic."""
    inputs = example(module, size=size, time=time)
    inner = module.inner if isinstance(module, Unpacked) else module
    order = ("batch", "time") if inner.batch_first else ("time", "batch")
    axes = {axis: name for axis, name in enumerate(order) if name in free}
    batch = {0: "batch"} if "batch" in free else {}
    names = ["tokens", "lengths"][: len(inputs)]
    dynamic = {"tokens": axes, "embedding": batch, **({"lengths": batch} if len(inputs) == 2 else {})}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about itself and what it froze
        torch.onnx.export(
            module, inputs, str(file), dynamo=False, input_names=names, output_names=["embedding"],
            dynamic_axes=dynamic, opset_version=opset,
        )  # fmt: skip
    return file


def to_script(module: nn.Module, file: Path, *, trace: bool = False, size: int = 3, time: int = 8) -> Path:
    """TorchScript, scripted or traced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is deprecated, and what tracing froze
        if trace:
            made = torch.jit.trace(module, example(module, size=size, time=time), check_trace=False)  # type: ignore[no-untyped-call]  # PyTorch's has no types
        else:
            made = torch.jit.script(module)
        torch.jit.save(made, str(file))
    return file
