"""InferSent as facebookresearch/InferSent computes it (models.py), built anew: same weights' names, same arithmetic."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

Words = Mapping[str, NDArray[np.float64]]
MARKS = {1: ("<s>", "</s>"), 2: ("<p>", "</p>")}


class InferSent(nn.Module):
    """An InferSent, whose only weights are `enc_lstm`'s; word vectors are a dict."""

    def __init__(self, *, version: int, size: int, hidden: int, pool: str) -> None:
        super().__init__()
        self.version, self.size, self.pool = version, size, pool
        self.enc_lstm = nn.LSTM(size, hidden, 1, bidirectional=True)

    def kept(self, words: Sequence[str], vectors: Words) -> list[str]:
        """Marks and words that have a vector; a sentence of which nothing is left is its last mark."""
        first, last = MARKS[self.version]
        return [word for word in (first, *words, last) if word in vectors] or [last]

    @torch.inference_mode()
    def encode(self, sentences: Sequence[Sequence[str]], vectors: Words) -> Tensor:
        """Embed sentences in one batch, given as words; padding gets into the maximum of version 1."""
        kept = [self.kept(words, vectors) for words in sentences]
        lengths = torch.tensor([len(words) for words in kept])
        batch = torch.zeros(int(lengths.max()), len(kept), self.size)
        for column, words in enumerate(kept):
            for row, word in enumerate(words):
                batch[row, column] = torch.from_numpy(vectors[word])
        packed = pack_padded_sequence(batch, lengths, enforce_sorted=False)
        output = pad_packed_sequence(self.enc_lstm(packed)[0])[0]
        if self.pool == "mean":
            return output.sum(0) / lengths.unsqueeze(1)
        if self.version == 2:
            output[output == 0] = -1e9
        return output.max(0)[0]


def write(folder: Path, *, version: int, size: int = 7, hidden: int = 5, pool: str = "max", seed: int = 0) -> InferSent:
    """`infersent{version}.pkl` in `folder`, a state dict as `torch.save` wrote it in 2018."""
    torch.manual_seed(seed)
    made = InferSent(version=version, size=size, hidden=hidden, pool=pool)
    torch.save(made.state_dict(), folder / f"infersent{version}.pkl", _use_new_zipfile_serialization=False)
    return made


def write_vectors(file: Path, words: Sequence[str], *, size: int = 7, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """A vector for each word, in GloVe's form; a .vec gets fastText's first line. Returns what a reader finds there."""
    numbers = np.random.default_rng(seed).normal(size=(len(words), size)).round(5)
    header = f"{len(words)} {size}\n" if file.suffix == ".vec" else ""
    lines = (f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, numbers, strict=True))
    file.write_text(header + "".join(lines), encoding="utf-8")
    return dict(zip(words, numbers, strict=True))
