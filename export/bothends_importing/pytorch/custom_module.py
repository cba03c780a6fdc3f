"""Imports a custom module (a state dict, a TorchScript or a Keras file) with its tokenizer."""

from collections.abc import Collection
from pathlib import Path
from typing import cast, get_args

from bothends.text import printable

from ..imported_encoder import ImportedEncoder
from ..keras import model as keras
from ..options import MAX_TOKENS, ImportOptions
from ..source import SourceError, WeightsFile
from ..tokenising.definition import Tokenising, must_load
from ..tokenising.existing import read_tokenizer
from ..tokenising.rows import must_name_each_row, unused_rows
from ..tokenising.sentencepiece import tokenise_sentencepiece
from ..tokenising.vocabulary import read_json, read_lines
from ..tokenising.word_rules import Split, WordRules
from ..tokenising.words import tokenise_words
from .config import StateDictConfig, TokenizerOptions, is_json
from .statedict import MappedEncoder, map_state_dict

_HOW = (
    "say how text becomes rows of the table: --tokenizer with a tokenizer.json or a SentencePiece model, or "
    "[tokenizer] in the TOML of --encoder (vocabulary, split, unknown, …)"
)


def custom_module(source: WeightsFile, options: ImportOptions, config: StateDictConfig) -> ImportedEncoder:
    """Import a module of PyTorch or Keras. Raises SourceError that says what is missing or can't be mapped."""
    found = _of_keras(source, options, config) if source.kind == "keras" else _of_pytorch(source, options, config)
    return with_tokenizer(found, options, config)


def with_tokenizer(found: MappedEncoder, options: ImportOptions, config: StateDictConfig) -> ImportedEncoder:
    """Combine a mapped encoder with the tokenizer that the user named. Raises SourceError if none was named."""
    rows = found.encoder.vocabulary_size
    tokenising = _tokenising(options, config.tokenizer, rows)
    _must_leave_out(found.masked_rows, tokenising, config.tokenizer.padding)
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
        tokenising.rows,
        [*found.notes, *tokenising.notes],
    )


def _must_leave_out(masked: Collection[int], tokenising: Tokenising, padding: str | None) -> None:
    """Raise SourceError if a text can have a token of a row that the source skips as padding."""
    made = must_load(tokenising.definition)
    special = {token.content for token in made.get_added_tokens_decoder().values() if token.special}
    never = {padding, (made.padding or {}).get("pad_token"), *special} - {getattr(made.model, "unk_token", None)}
    for token, index in made.get_vocab(with_added_tokens=True).items():
        if tokenising.rows[index] in masked and token not in never:
            shown = printable(token.strip())
            raise SourceError(
                f"the vocabulary gives {shown!r} row {tokenising.rows[index]}, which the model skips as padding "
                f'(mask_zero): is the line of padding missing? If {shown!r} is padding, say padding = "{shown}" under '
                "[tokenizer] in the TOML of --encoder"
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


def _tokenising(options: ImportOptions, tokenizer: TokenizerOptions, rows: int) -> Tokenising:
    """The tokenizer of `--tokenizer`, else the one that the TOML describes, files relative to it."""
    beside = options.encoder.parent if options.encoder else Path()
    file = options.tokenizer or (beside / tokenizer.file if tokenizer.file else None)
    unused = unused_rows(tokenizer.unused_rows, rows=rows)
    if file is not None:
        return _of_file(file, rows=rows, unused=unused)
    if tokenizer.vocabulary is None:
        raise SourceError(_HOW)
    if tokenizer.split not in (None, *get_args(Split)):
        raise SourceError(f"[tokenizer] split = {tokenizer.split!r}; known are {', '.join(get_args(Split))}")
    split = cast(Split, tokenizer.split or "whitespace")
    words = _words(beside / tokenizer.vocabulary, tokenizer.padding, rows=rows, unused=unused)
    rules = WordRules(split, tokenizer.lower, tokenizer.unknown, tuple(tokenizer.before), tuple(tokenizer.after))
    return tokenise_words(words, rules, rows=rows)


def _words(path: Path, padding: str | None, *, rows: int, unused: Collection[int]) -> dict[str, int]:
    """Return the row of each word in a vocabulary file, except for `padding`, which no text can contain."""
    words = read_json(path) if path.suffix == ".json" else read_lines(path, unused=unused)
    must_name_each_row(words, path, rows=rows, unused=unused)
    if padding is None:
        return words
    if padding not in words:
        raise SourceError(
            f"{path} has no word {printable(padding)!r}, which [tokenizer] padding says; if a row of the table is "
            "padding, its line is missing"
        )
    return {word: row for word, row in words.items() if word != padding}


def _of_file(file: Path, *, rows: int, unused: Collection[int]) -> Tokenising:
    try:
        with file.open("rb") as stream:
            is_json = stream.read(64).lstrip().startswith(b"{")
    except OSError as error:
        raise SourceError(f"{file} can't be read: {error.strerror}") from error
    read = read_tokenizer if is_json else tokenise_sentencepiece
    return read(file, rows=rows, unused=unused)
