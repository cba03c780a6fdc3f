"""AllenNLP's basic_classifier up to its embedding as allennlp 2.10 computes it, built anew, and its model.tar.gz."""

import io
import json
import tarfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

PADDING, UNKNOWN = "@@PADDING@@", "@@UNKNOWN@@"


class Embedding(nn.Module):
    """The token embedder `embedding`: a table, and a linear layer where `projection` says its size."""

    def __init__(self, tokens: int, size: int, projection: int | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(tokens, size))
        if projection:
            self._projection = nn.Linear(size, projection)

    def forward(self, rows: Tensor) -> Tensor:
        vectors = nn.functional.embedding(rows, self.weight)
        return self._projection(vectors) if hasattr(self, "_projection") else vectors


class BasicClassifier(nn.Module):
    """The names of its weights are AllenNLP's."""

    def __init__(
        self,
        tokens: Sequence[str],
        *,
        cell: str,
        bidirectional: bool = True,
        projection: int | None = None,
        feedforward: Sequence[int] = (),
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.tokens, self.cell, self.activation = list(tokens), cell, activation
        self.rows = {token: row for row, token in enumerate((PADDING, UNKNOWN, *tokens))}
        self._text_field_embedder: Any = nn.Module()
        embedder = Embedding(len(self.rows), 7, projection)
        self._text_field_embedder.add_module("token_embedder_tokens", embedder)
        kind = nn.LSTM if cell == "lstm" else nn.GRU
        self._seq2vec_encoder: Any = nn.Module()
        self._seq2vec_encoder._module = kind(projection or 7, 5, 2, bidirectional=bidirectional, batch_first=True)
        sizes = [10 if bidirectional else 5, *feedforward]
        if feedforward:
            self._feedforward: Any = nn.Module()
            layers = (nn.Linear(*pair) for pair in pairwise(sizes))
            self._feedforward._linear_layers = nn.ModuleList(layers)
        self._classification_layer = nn.Linear(sizes[-1], 2)

    @torch.inference_mode()
    def embed(self, sentences: Sequence[Sequence[str]], *, lower: bool = False, with_head: bool = True) -> Tensor:
        """Vectors that the classification layer reads, of sentences in one batch, given as tokens."""
        rows = [[self.rows.get(t.lower() if lower else t, 1) for t in sentence] for sentence in sentences]
        lengths = torch.tensor([len(row) for row in rows])
        padded = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        vectors = self._text_field_embedder.token_embedder_tokens(padded)
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        module = self._seq2vec_encoder._module
        state = module(packed)[1]
        state = state[0] if isinstance(state, tuple) else state
        last = 2 if module.bidirectional else 1
        embedded: Tensor = state.transpose(0, 1)[:, -last:, :].reshape(len(rows), -1)
        if with_head and hasattr(self, "_feedforward"):
            then: Any = {"relu": torch.relu, "tanh": torch.tanh, "linear": lambda x: x}[self.activation]
            for layer in self._feedforward._linear_layers:
                embedded = then(layer(embedded))
        return embedded

    def config(self, *, tokenizer: Any = "whitespace", **indexer: Any) -> dict[str, Any]:
        """Content of config.json, as far as it is read."""
        model: dict[str, Any] = {
            "type": "basic_classifier",
            "text_field_embedder": {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 7}}},
            "seq2vec_encoder": {"type": self.cell, "input_size": 7, "hidden_size": 5, "num_layers": 2},
        }
        if hasattr(self, "_feedforward"):
            layers = self._feedforward._linear_layers
            model["feedforward"] = {"num_layers": len(layers), "activations": self.activation, "dropout": 0.1}
        reader = {
            "type": "text_classification_json",
            "tokenizer": tokenizer,
            "token_indexers": {"tokens": {"type": "single_id", **indexer}},
        }
        return {"dataset_reader": reader, "model": model}


def make(tokens: Sequence[str], *, seed: int = 0, **options: Any) -> BasicClassifier:
    """One with random weights."""
    torch.manual_seed(seed)
    return BasicClassifier(tokens, **({"cell": "lstm"} | options)).eval()


def write(file: Path, model: BasicClassifier, **changes: Any) -> Path:
    """`model` as `allennlp train` packs it: config.json, weights.th and vocabulary/."""
    weights = io.BytesIO()
    torch.save(model.state_dict(), weights)
    parts = {
        "config.json": json.dumps(model.config(**changes)).encode(),
        "weights.th": weights.getvalue(),
        "vocabulary/tokens.txt": "".join(f"{t}\n" for t in (UNKNOWN, *model.tokens)).encode(),
        "vocabulary/labels.txt": b"no\nyes\n",
        "vocabulary/non_padded_namespaces.txt": b"*tags\n*labels\n",
    }
    with tarfile.open(file, "w:gz") as archive:
        for name, content in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file
