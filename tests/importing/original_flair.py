"""flair's DocumentRNNEmbeddings over WordEmbeddings as flair 0.15 computes them (document.py, token.py), built anew."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Words(nn.Module):
    """WordEmbeddings: a frozen table, whose last row, zeros, is of every unknown word."""

    def __init__(self, vocabulary: dict[str, int], size: int, *, stable: bool) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        table = torch.cat((torch.randn(len(vocabulary), size), torch.zeros(1, size)))
        self.embedding = nn.Embedding.from_pretrained(table)  # type: ignore[no-untyped-call]  # PyTorch's has no types
        self.layer_norm = nn.LayerNorm(size, elementwise_affine=False) if stable else None

    def row(self, word: str) -> int:
        """Row of a word, as get_cached_token_index looks for it."""
        small = word.lower()
        for spelling in (word, small, re.sub(r"\d", "#", small), re.sub(r"\d", "0", small)):
            if spelling in self.vocabulary:
                return self.vocabulary[spelling]
        return len(self.vocabulary)

    def forward(self, sentence: Sequence[str]) -> Tensor:
        """[words, size]"""
        vectors = self.embedding(torch.tensor([self.row(word) for word in sentence]))
        found: Tensor = self.layer_norm(vectors) if self.layer_norm else vectors
        return found


class DocumentRNN(nn.Module):
    """DocumentRNNEmbeddings: the names of its weights are flair's."""

    def __init__(
        self, words: Words, *, hidden: int, layers: int, bidirectional: bool, rnn_type: str, reproject: int | None
    ) -> None:
        super().__init__()
        size = words.embedding.embedding_dim
        self.embeddings = nn.Module()
        self.embeddings.add_module("list_embedding_0", words)
        self.words, self.reproject, self.rnn_type = [words], reproject, rnn_type
        self.word_reprojection_map = nn.Linear(size, reproject or size)
        kind = nn.LSTM if rnn_type == "LSTM" else nn.GRU
        self.rnn = kind(reproject or size, hidden, layers, bidirectional=bidirectional, batch_first=True)

    @torch.inference_mode()
    def embed(self, sentences: Sequence[Sequence[str]]) -> Tensor:
        """Vectors of sentences in one batch, given as words."""
        (words,) = self.words
        lengths = [len(sentence) for sentence in sentences]
        batch = nn.utils.rnn.pad_sequence([words(sentence) for sentence in sentences], batch_first=True)
        if self.reproject:
            batch = self.word_reprojection_map(batch)
        packed = pack_padded_sequence(batch, torch.tensor(lengths), enforce_sorted=False, batch_first=True)
        outputs = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]
        embedded = []
        for outputs_of_one, length in zip(outputs, lengths, strict=True):
            last = outputs_of_one[length - 1]
            embedded.append(torch.cat((outputs_of_one[0], last)) if self.rnn.bidirectional else last)
        return torch.stack(embedded)

    def save_embeddings(self) -> dict[str, Any]:
        """The result of flair's method of that name: the arguments and the state dict, all plain data."""
        (words,) = self.words
        word_params = {
            "vocab": words.vocabulary,
            "stable": words.layer_norm is not None,
            "fine_tune": False,
            "force_cpu": True,
            "field": None,
            "name": "0-glove",
            "embedding_length": words.embedding.embedding_dim,
            "__cls__": "WordEmbeddings",
        }
        return {
            "embeddings": {"embeddings": [word_params], "__cls__": "StackedEmbeddings"},
            "hidden_size": self.rnn.hidden_size,
            "rnn_layers": self.rnn.num_layers,
            "reproject_words": self.reproject is not None,
            "reproject_words_dimension": self.rnn.input_size,
            "bidirectional": self.rnn.bidirectional,
            "dropout": 0.5,
            "word_dropout": 0.0,
            "locked_dropout": 0.0,
            "rnn_type": self.rnn_type,
            "fine_tune": True,
            "state_dict": self.state_dict(),
            "__cls__": "DocumentRNNEmbeddings",
        }


def write(
    file: Path,
    vocabulary: Sequence[str],
    *,
    bidirectional: bool = True,
    rnn_type: str = "GRU",
    reproject: int | None = 6,
    stable: bool = False,
    seed: int = 0,
) -> DocumentRNN:
    """Write what torch.save(embeddings.save_embeddings(), file) does."""
    torch.manual_seed(seed)
    words = Words({word: row for row, word in enumerate(vocabulary)}, 9, stable=stable)
    made = DocumentRNN(
        words, hidden=5, layers=2, bidirectional=bidirectional, rnn_type=rnn_type, reproject=reproject
    ).eval()
    torch.save(made.save_embeddings(), file)
    return made
