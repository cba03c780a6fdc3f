"""Encoders as people write them, and how ours must agree with them."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from bothends_export.encoder import Encoder
from bothends_importing.pytorch.config import StateDictConfig, read
from bothends_importing.pytorch.statedict import MappedEncoder, map_state_dict
from bothends_importing.readers.file import open_weights

LENGTHS = (1, 2, 5, 9, 31)


class Plain(nn.Module):
    """The tutorial's: an embedding, a BiLSTM, both last states."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(40, 7, padding_idx=0)
        self.rnn = nn.LSTM(7, 5, bidirectional=True, batch_first=True, **options)

    def forward(self, ids: Tensor) -> Tensor:
        _, (h, _) = self.rnn(self.embed(ids))
        return torch.cat((h[-2], h[-1]), dim=1)


class Packed(nn.Module):
    """Time first, packed, two layers of GRU in one direction, a head with tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(40, 6)
        self.gru = nn.GRU(6, 8, num_layers=2, dropout=0.3)
        self.fc = nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.word_embeddings(ids.T), torch.tensor([ids.shape[1]]))
        _, h = self.gru(packed)
        return torch.tanh(self.fc(h[-1]))


class Pooled(nn.Module):
    """Max pooling over the steps, a projection before the cells, a layer norm after the head, all of it nested."""

    def __init__(self) -> None:
        super().__init__()
        self.lookup = nn.ModuleDict({"words": nn.Embedding(40, 9)})
        self.encoder = nn.ModuleDict({"proj": nn.Linear(9, 6), "rnn": nn.LSTM(6, 4, bidirectional=True)})
        self.head = nn.Sequential(nn.Linear(8, 10, bias=False), nn.LayerNorm(10, eps=1e-3))

    def forward(self, ids: Tensor) -> Tensor:
        output, _ = self.encoder["rnn"](self.encoder["proj"](self.lookup["words"](ids.T)))
        embedding: Tensor = self.head(output.max(dim=0)[0])
        return embedding


class Learned(nn.Module):
    """Learned initial states, a projected state, no biases, a mean over the steps."""

    def __init__(self, cell: str = "LSTM") -> None:
        super().__init__()
        options = {"proj_size": 3} if cell == "LSTM" else {}
        self.emb = nn.Embedding(40, 5)
        self.cells = getattr(nn, cell)(5, 6, 2, bias=False, bidirectional=True, **options)
        self.h0 = nn.Parameter(torch.randn(4, 1, 3 if options else 6))
        if options:
            self.c0 = nn.Parameter(torch.randn(4, 1, 6))

    def forward(self, ids: Tensor) -> Tensor:
        initial = (self.h0, self.c0) if isinstance(self.cells, nn.LSTM) else self.h0
        output: Tensor = self.cells(self.emb(ids.T), initial)[0]
        return output.mean(dim=0)


class SelfAttentive(nn.Module):
    """Lin and others' structured self-attention, as most write it: two linear layers without biases, a few hops."""

    def __init__(self, *, hops: int = 3, bias: bool = False) -> None:
        super().__init__()
        self.word_emb = nn.Embedding(40, 10)
        self.bilstm = nn.LSTM(10, 5, bidirectional=True, batch_first=True)
        self.ws1 = nn.Linear(10, 6, bias=bias)
        self.ws2 = nn.Linear(6, hops, bias=bias)

    def forward(self, ids: Tensor) -> Tensor:
        output, _ = self.bilstm(self.word_emb(ids))
        weights = torch.softmax(self.ws2(torch.tanh(self.ws1(output))).transpose(1, 2), dim=2)
        return torch.bmm(weights, output).reshape(len(ids), -1)


class ContextVector(nn.Module):
    """Attention by a learned context vector, as hierarchical attention networks have it."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(40, 6)
        self.gru = nn.GRU(6, 5, bidirectional=True, batch_first=True)
        self.word_attention = nn.Linear(10, 7)
        self.context = nn.Parameter(torch.randn(7, 1))

    def forward(self, ids: Tensor) -> Tensor:
        output: Tensor = self.gru(self.emb(ids))[0]
        weights = torch.softmax(torch.tanh(self.word_attention(output)) @ self.context, dim=1)
        return (weights * output).sum(dim=1)


class TwoModules(nn.Module):
    """A narrower LSTM that reads a wider one, each a module of its own."""

    def __init__(self, second: int = 4) -> None:
        super().__init__()
        self.emb = nn.Embedding(40, 6)
        self.wide = nn.LSTM(6, 7, num_layers=2, bidirectional=True, batch_first=True)
        self.narrow: nn.RNNBase = nn.LSTM(14, second, bidirectional=True, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        output: Tensor = self.narrow(self.wide(self.emb(ids))[0])[0]
        return output.max(dim=1)[0]


class Subclass(nn.LSTM):
    """An LSTM that holds its own table, so its tensors' names have no prefix; it reads output[-1]."""

    def __init__(self) -> None:
        super().__init__(5, 4, bidirectional=True)
        self.table = nn.Embedding(40, 5)

    def embed(self, ids: Tensor) -> Tensor:
        output: Tensor = super().forward(self.table(ids.T))[0]
        return output[-1]


def agree(module: nn.Module, found: MappedEncoder, *, by: float = 1e-6) -> None:
    """Sentences alone in theirs, all of them in one batch in ours, with any rows in the padding."""
    encoder = Encoder.of_weights(found.encoder, found.weights)
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(0, found.encoder.vocabulary_size, (len(LENGTHS), max(LENGTHS)), generator=generator)
    embed = module.embed if isinstance(module, Subclass) else module.eval()
    with torch.no_grad():
        expected = torch.cat([embed(row[:length].unsqueeze(0)) for row, length in zip(ids, LENGTHS, strict=True)])
        ours = encoder(ids, torch.tensor(LENGTHS)).embedding
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() <= by
    assert expected.std(dim=0).min() > 1e-3  # sentences differ: agreement means something


def config(folder: Path, text: str) -> StateDictConfig:
    """The config in a TOML of this text."""
    (folder / "names.toml").write_text(text, encoding="utf-8")
    return read(folder / "names.toml")


def map_file(file: Path, text: str = "") -> MappedEncoder:
    """A file mapped as this TOML says."""
    said = config(file.parent, text)
    return map_state_dict(open_weights(file, ignore=said.ignore), said)


def quietly(make: Any, *arguments: Any) -> Any:
    """Call what warns of itself, without the warning."""
    with warnings.catch_warnings(action="ignore"):  # torch.jit says of itself that it is deprecated
        return make(*arguments)
