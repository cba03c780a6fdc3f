"""Small SentencePiece models, trained here by the library on texts that stay as they are, and on hard text."""

from pathlib import Path
from typing import Any

import sentencepiece

from tests.support.paths import ROOT

from .hard_texts import HARD

_TEXTS = (ROOT / "LICENSE", ROOT / "examples" / "data" / "notes.txt")


def train(folder: Path, *, without: str = "\0", **options: Any) -> Path:
    """The .model file of a model with these options of SentencePieceTrainer, from text `without` a character."""
    lines = [line for file in _TEXTS for line in file.read_text(encoding="utf-8").splitlines()]
    usual = {"vocab_size": 900, "character_coverage": 0.999, "hard_vocab_limit": False, "num_threads": 1}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line.replace(without, "") for line in [*filter(None, lines), *HARD[20:] * 5]]),
        model_prefix=str(folder / "small"),
        minloglevel=2,
        **{**usual, **({"hard_vocab_limit": True} if options.get("model_type") == "bpe" else {}), **options},
    )
    return folder / "small.model"
