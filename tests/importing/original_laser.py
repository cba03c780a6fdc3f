"""LASER's LSTM encoder as facebookresearch/LASER computes it (LaserLstmEncoder, SentenceEncoder), built anew.

Knows nothing of bothends.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD, END, UNKNOWN = 1, 2, 3


class Laser(nn.Module):
    """Table and LSTM; a sentence's embedding is the largest of each output over its pieces and </s>."""

    def __init__(self, *, pieces: int, size: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(pieces, size, padding_idx=PAD)
        self.lstm = nn.LSTM(size, hidden, layers, bidirectional=True)

    @torch.inference_mode()
    def encode(self, sentences: Sequence[Sequence[str]], dictionary: Mapping[str, int]) -> Tensor:
        """Embed sentences in one batch, given as pieces."""
        rows = [[*(dictionary.get(piece, UNKNOWN) for piece in pieces), END] for pieces in sentences]
        lengths = torch.tensor([len(row) for row in rows])
        tokens = torch.full((len(rows), int(lengths.max())), PAD)
        for index, row in enumerate(rows):
            tokens[index, : len(row)] = torch.tensor(row)
        packed = pack_padded_sequence(self.embed_tokens(tokens).transpose(0, 1), lengths, enforce_sorted=False)
        output = pad_packed_sequence(self.lstm(packed)[0])[0]
        return output.masked_fill(tokens.eq(PAD).t().unsqueeze(-1), -torch.inf).max(dim=0)[0]


def write(
    file: Path, dictionary: dict[str, int], *, size: int = 8, hidden: int = 6, layers: int = 5, seed: int = 0
) -> Laser:
    """A file like laser2.pt: params, model and dictionary."""
    torch.manual_seed(seed)
    pieces = 1 + max(dictionary.values())
    made = Laser(pieces=pieces, size=size, hidden=hidden, layers=layers).eval()
    params = {
        "num_embeddings": pieces,
        "padding_idx": PAD,
        "embed_dim": size,
        "hidden_size": hidden,
        "num_layers": layers,
        "bidirectional": True,
        "left_pad": True,
        "padding_value": 0.0,
    }
    torch.save({"params": params, "model": made.state_dict(), "dictionary": dictionary}, file)
    return made
