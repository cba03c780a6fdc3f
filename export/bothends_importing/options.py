"""Options of an import, and which format takes which.

Nothing here imports torch, since `bothends --help` imports this module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Format = Literal["pytorch", "torchscript", "keras", "infersent1", "infersent2", "laser", "flair", "allennlp", "onnx"]
FORMATS: tuple[Format, ...] = get_args(Format)

Advance = Callable[[float], None]
"""Callback that gets the share of the work that is done, from 0 to 1."""

MAX_TOKENS = 256
"""Number of tokens to which longer sentences are cut, unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import; None if the user didn't give one."""

    encoder: Path | None = None
    """A TOML that maps the names of a state dict and says how text is split, or the JSON of a Keras model.

    For LASER it says which rows have no piece.
    """
    tokenizer: Path | None = None
    """A tokenizer.json or a SentencePiece model."""
    pooling: str | None = None
    vectors: Path | None = None
    """Word vectors, in text."""
    top: int | None = None
    """Number of the most frequent words to take."""
    words: Path | None = None
    """File of sentences whose words to take."""
    spm: Path | None = None
    """A SentencePiece model."""
    codes: Path | None = None
    """fastBPE's merges."""
    vocabulary: Path | None = None
    """A folder of AllenNLP's."""
    tokenised: bool = False
    """True if sentences come as tokens with spaces between them."""
    head: bool = True
    """True if what follows the pooling belongs to the encoder."""
    max_tokens: int | None = None
    advance: Advance = lambda _: None
    """Callback for how much of the word vectors is read."""


_PYTORCH = {"encoder", "tokenizer", "pooling"}
_INFERSENT = {"vectors", "top", "words", "tokenised", "pooling"}
OPTIONS_READ: dict[Format, set[str]] = {
    "pytorch": _PYTORCH,
    "torchscript": _PYTORCH,
    "keras": {"encoder", "tokenizer", "head"},
    "infersent1": _INFERSENT,
    "infersent2": _INFERSENT,
    "laser": {"spm", "codes", "encoder"},
    "flair": {"words", "tokenised"},
    "allennlp": {"vocabulary", "tokenised", "head"},
    "onnx": {"encoder", "tokenizer"},
}
"""Fields of ImportOptions that each format reads, in addition to `max_tokens` and `advance`, which all read."""
