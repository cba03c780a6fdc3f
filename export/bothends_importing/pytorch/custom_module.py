"""A custom module (a state dict, a TorchScript or a Keras file) and its tokenizer to an encoder of ours.

Knows nothing of how files are opened, how names become parts, or how text becomes tokens: it puts these together.
"""

from pathlib import Path
from typing import cast, get_args

from ..imported_encoder import ImportedEncoder
from ..keras import model as keras
from ..options import MAX_TOKENS, ImportOptions
from ..source import SourceError, WeightsFile
from ..tokenising.definition import Tokenising
from ..tokenising.existing import read_tokenizer
from ..tokenising.sentencepiece import tokenise_sentencepiece
from ..tokenising.vocabulary import read_json, read_lines
from ..tokenising.words import Split, WordRules, tokenise_words
from .config import StateDictConfig, TokenizerOptions
from .statedict import MappedEncoder, map_state_dict

_HOW = (
    "say how text becomes rows of the table: --tokenizer with a tokenizer.json or a SentencePiece model, or "
    "[tokenizer] in the TOML of --encoder (vocabulary, split, unknown, …)"
)


def custom_module(source: WeightsFile, options: ImportOptions, config: StateDictConfig) -> ImportedEncoder:
    """Import a module of PyTorch's or Keras's. Raises SourceError that says what is missing or can't be mapped."""
    found = _of_keras(source, options, config) if source.kind == "keras" else _of_pytorch(source, options, config)
    return with_tokenizer(found, options, config)


def with_tokenizer(found: MappedEncoder, options: ImportOptions, config: StateDictConfig) -> ImportedEncoder:
    """Put a mapped encoder and the tokenizer that was asked for together. Raises SourceError where none was."""
    rows = found.encoder.vocabulary_size
    tokenising = _tokenising(options, config.tokenizer, rows)
    weights = found.weights
    encoder = found.encoder
    if tokenising.rows != list(range(rows)):
        table = weights["embedding.weight"][tokenising.rows]
        weights = {**weights, "embedding.weight": table}
        encoder = encoder.model_copy(update={"vocabulary_size": len(table)})
    return ImportedEncoder(
        encoder,
        weights,
        tokenising.definition,
        options.max_tokens or config.max_tokens or MAX_TOKENS,
        config.name or "encoder",
        found.origins,
        [*found.notes, *tokenising.notes],
    )


def _of_keras(source: WeightsFile, options: ImportOptions, config: StateDictConfig) -> MappedEncoder:
    layers = options.encoder if is_json(options.encoder) else None
    if options.encoder is not None and config.layers is not None:
        layers = options.encoder.parent / config.layers
    return keras.map_model(source, config=layers, head=options.head)


def _of_pytorch(source: WeightsFile, options: ImportOptions, config: StateDictConfig) -> MappedEncoder:
    if config.layers is not None:
        raise SourceError(f"{options.encoder}: layers are of Keras's, and {source.file} is of {source.kind}")
    if options.pooling is not None:
        encoder = config.encoder.model_copy(update={"pooling": options.pooling})
        config = config.model_copy(update={"encoder": encoder})
    return map_state_dict(source, config)


def is_json(file: Path | None) -> bool:
    """Return whether `--encoder` is the JSON of a Keras model's layers, and no TOML."""
    return file is not None and file.suffix == ".json"


def _tokenising(options: ImportOptions, tokenizer: TokenizerOptions, rows: int) -> Tokenising:
    """The tokenizer of `--tokenizer`, else the one that the TOML describes, files relative to it."""
    beside = options.encoder.parent if options.encoder else Path()
    file = options.tokenizer or (beside / tokenizer.file if tokenizer.file else None)
    if file is not None:
        return _of_file(file, rows)
    if tokenizer.vocabulary is None:
        raise SourceError(_HOW)
    if tokenizer.split not in (None, *get_args(Split)):
        raise SourceError(f"[tokenizer] split = {tokenizer.split!r}; known are {', '.join(get_args(Split))}")
    split = cast(Split, tokenizer.split or "whitespace")
    path = beside / tokenizer.vocabulary
    words = read_json(path) if path.suffix == ".json" else read_lines(path)
    if tokenizer.padding is not None:
        words.pop(tokenizer.padding, None)  # no word of a text is padding
    rules = WordRules(split, tokenizer.lower, tokenizer.unknown, tuple(tokenizer.before), tuple(tokenizer.after))
    return tokenise_words(words, rules, rows=rows)


def _of_file(file: Path, rows: int) -> Tokenising:
    try:
        with file.open("rb") as stream:
            is_json = stream.read(64).lstrip().startswith(b"{")
    except OSError as error:
        raise SourceError(f"{file} can't be read: {error.strerror}") from error
    return read_tokenizer(file, rows=rows) if is_json else tokenise_sentencepiece(file, rows=rows)
