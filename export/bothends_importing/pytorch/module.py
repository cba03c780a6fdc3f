"""Somebody's own module (a state dict, a TorchScript or a Keras file) and its tokenizer to an encoder of ours.

Knows nothing of how files are opened, how names become parts, or how text becomes tokens: it puts these together.
"""

from pathlib import Path
from typing import cast, get_args

from ..asked import MAX_TOKENS, Asked
from ..imported import Imported
from ..keras import model as keras
from ..source import Opened, SourceError
from ..tokenising.definition import Tokenising
from ..tokenising.existing import read_tokenizer
from ..tokenising.sentencepiece import tokenise_sentencepiece
from ..tokenising.vocabulary import read_json, read_lines
from ..tokenising.words import Split, WordRules, tokenise_words
from .names import StateDictConfig, TokenizerOptions
from .statedict import Mapped, mapped

_HOW = (
    "say how text becomes rows of the table: --tokenizer with a tokenizer.json or a SentencePiece model, or "
    "[tokenizer] in the TOML of --encoder (vocabulary, split, unknown, …)"
)


def own(opened: Opened, asked: Asked, config: StateDictConfig) -> Imported:
    """Import a module of PyTorch's or Keras's. Raises SourceError that says what is missing or can't be mapped."""
    found = _of_keras(opened, asked) if opened.kind == "keras" else _of_pytorch(opened, asked, config)
    rows = found.encoder.vocabulary_size
    tokenising = _tokenising(asked, config.tokenizer, rows)
    weights = found.weights
    encoder = found.encoder
    if tokenising.rows != list(range(rows)):
        table = weights["embedding.weight"][tokenising.rows]
        weights = {**weights, "embedding.weight": table}
        encoder = encoder.model_copy(update={"vocabulary_size": len(table)})
    return Imported(
        encoder,
        weights,
        tokenising.definition,
        asked.max_tokens or config.max_tokens or MAX_TOKENS,
        config.name or "encoder",
        found.origins,
        [*found.notes, *tokenising.notes],
    )


def _of_keras(opened: Opened, asked: Asked) -> Mapped:
    layers = asked.encoder if is_json(asked.encoder) else None
    return keras.mapped(opened, config=layers, head=asked.head)


def _of_pytorch(opened: Opened, asked: Asked, config: StateDictConfig) -> Mapped:
    if asked.pooling is not None:
        options = config.encoder.model_copy(update={"pooling": asked.pooling})
        config = config.model_copy(update={"encoder": options})
    return mapped(opened, config)


def is_json(file: Path | None) -> bool:
    """Whether `--encoder` is the JSON of a Keras model's layers, and no TOML."""
    return file is not None and file.suffix == ".json"


def _tokenising(asked: Asked, options: TokenizerOptions, rows: int) -> Tokenising:
    """What the TOML says of a tokenizer, files relative to it; `--tokenizer` goes before that."""
    beside = asked.encoder.parent if asked.encoder else Path()
    file = asked.tokenizer or (beside / options.file if options.file else None)
    if file is not None:
        return _of_file(file, rows)
    if options.vocabulary is None:
        raise SourceError(_HOW)
    if options.split not in (None, *get_args(Split)):
        raise SourceError(f"[tokenizer] split = {options.split!r}; known are {', '.join(get_args(Split))}")
    split = cast(Split, options.split or "whitespace")
    path = beside / options.vocabulary
    words = read_json(path) if path.suffix == ".json" else read_lines(path)
    if options.padding is not None:
        words.pop(options.padding, None)  # no word of a text is padding
    rules = WordRules(split, options.lower, options.unknown, tuple(options.before), tuple(options.after))
    return tokenise_words(words, rules, rows=rows)


def _of_file(file: Path, rows: int) -> Tokenising:
    try:
        with file.open("rb") as opened:
            is_json = opened.read(64).lstrip().startswith(b"{")
    except OSError as error:
        raise SourceError(f"{file} can't be read: {error.strerror}") from error
    return read_tokenizer(file, rows=rows) if is_json else tokenise_sentencepiece(file, rows=rows)
