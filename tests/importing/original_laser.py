"""LASER's tokeniser and LSTM encoder as facebookresearch/LASER has them (laser_tokenizer.py, models.py), built anew."""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import sentencepiece
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD, END, UNKNOWN = 1, 2, 3
MARKS = {"<s>": 0, "<pad>": PAD, "</s>": END, "<unk>": UNKNOWN}
TEXT = [
    "there will be dragons and no dragons there",
    "a man plays the guitar (and a woman sings)",
    "il y aura des dragons, et une femme chante",
    "es wird drachen geben: eine frau singt",
    "hier sind 12 drachen; dort sind 3 - oder nicht?",
]
CODES = "t h 10\ne r 9\nth er 8\nther e</w> 7\nd r 6\ndr a 5\nn s</w> 4\no n 3\n"
"""fastBPE's: two symbols that become one, and how often they did."""


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


def pieces(text: str, model: Path) -> list[str]:
    """Pieces as `LaserTokenizer.tokenize` cuts a text, for English as LASER does for all languages."""
    from sacremoses import MosesPunctNormalizer  # half a second, which collecting tests needn't take

    printing = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    moses = MosesPunctNormalizer("en", perl_parity=True)
    moses.substitutions[21:23] = [("‘", '"'), ("‚", '"')]
    library = sentencepiece.SentencePieceProcessor(model_file=str(model))
    return " ".join(library.encode(moses.normalize(printing).lower(), out_type=str)).split()


def write_model(file: Path) -> dict[str, int]:
    """A small SentencePiece model, and a dictionary of its pieces, in another order, a few of them left out."""
    prefix = file.with_suffix("")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 4), model_prefix=str(prefix), vocab_size=90, hard_vocab_limit=False, minloglevel=2
    )
    prefix.with_suffix(".model").rename(file)
    library = sentencepiece.SentencePieceProcessor(model_file=str(file))
    known = [library.id_to_piece(index) for index in range(3, library.get_piece_size() - 5)]
    return MARKS | {piece: row for row, piece in enumerate(reversed(known), len(MARKS))}


def write_codes(file: Path) -> dict[str, int]:
    """fastBPE's codes, and a dictionary of the subwords that they make."""
    file.write_text(CODES, encoding="utf-8")
    ends = [*"abcdefghijklmnopqrstuvwxyz,.", "there", "ns"]
    starts = [f"{start}@@" for start in (*"abcdefghijklmnopqrstuvwxyz", "dra", "dr", "on", "er", "th", "ther")]
    return MARKS | {subword: row for row, subword in enumerate([*ends, *starts], len(MARKS))}
