"""Imports flair's DocumentRNNEmbeddings over one WordEmbeddings, as `save_embeddings()` writes it.

It follows flair (embeddings/document.py and token.py): the table, a linear layer (`word_reprojection_map`), an LSTM or
GRU. The embedding is the output at the first and at the last token if it is bidirectional, otherwise that at the last.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import layer_norm

from bothends.model.architecture import EncoderConfig
from bothends.text import printable

from .imported_encoder import ImportedEncoder
from .options import MAX_TOKENS, ImportOptions
from .recurrent import recurrent_layers
from .source import SourceError, WeightsFile
from .tokenising.rows import must_name_each_row
from .tokenising.word_rules import WordRules
from .tokenising.words import tokenise_words
from .wordlist import words_of

_WORDS = "embeddings.list_embedding_0."
_TABLE = f"{_WORDS}embedding.weight"
_MAP = "word_reprojection_map."
_CELLS = "rnn."
_TOKENISED = "Text is split at whitespace only: send sentences as tokens, as flair's Sentence([…]) takes them."
_UNKNOWN = "unknown word"
"""Word for all unknown ones. No text has it, as it holds a space."""
_HOW = "save it with torch.save(embeddings.save_embeddings(), FILE)"


@dataclass(frozen=True, slots=True)
class _Lookup:
    """flair's way from a word to its row, as a vocabulary: the word, or it in lower case, or with # or 0 for digits."""

    rows: dict[str, int]
    lower: bool
    """True if words are put into lower case first."""
    notes: list[str]


def flair(source: WeightsFile, options: ImportOptions) -> ImportedEncoder:
    """Import a file that `save_embeddings()` wrote.

    Raises SourceError that says what is missing, wrong, or can't be mapped.
    """
    if source.extras.get("__cls__") != "DocumentRNNEmbeddings":
        raise SourceError(f"{source.file} doesn't say that it is a DocumentRNNEmbeddings of flair's; {_HOW}")
    if not options.tokenised:
        raise SourceError(
            "flair splits text with segtok unless it is told otherwise, for which no tokenizer.json can be equal; with "
            "--tokenised, sentences are split at whitespace only, and callers tokenise them first"
        )
    words = _word_embeddings(source)
    _check_names(source)
    found = recurrent_layers(source.tensors, _CELLS, file=source.file)
    table = _table(source, words)
    projection = _projection(source, table.shape[1], found.input_size)
    lookup = _lookup(words["vocab"], options)
    rules = WordRules("whitespace", lookup.lower, _UNKNOWN)
    tokenising = tokenise_words({**lookup.rows, _UNKNOWN: len(table) - 1}, rules, rows=len(table))
    rows = table[tokenising.rows]
    encoder = EncoderConfig(
        pooling="first_and_last_output" if found.bidirectional else "final_states",
        vocabulary_size=len(rows),
        embedding_size=rows.shape[1],
        input_projection=found.input_size if projection else None,
        **found.sizes(),
    )
    return ImportedEncoder(
        encoder,
        {"embedding.weight": rows, **projection, **found.weights},
        tokenising.definition,
        options.max_tokens or MAX_TOKENS,
        "flair",
        {"embedding.weight": _TABLE, **{name: _MAP + name.rpartition(".")[2] for name in projection}, **found.origins},
        tokenising.rows,
        [*source.notes, _TOKENISED, *lookup.notes, *tokenising.notes],
    )


def _word_embeddings(source: WeightsFile) -> dict[str, Any]:
    """Description that the file has of its only token embeddings."""
    stacked = source.extras.get("embeddings")
    kinds = stacked.get("embeddings") if isinstance(stacked, dict) else None
    if not isinstance(kinds, list) or not all(isinstance(kind, dict) for kind in kinds):
        raise SourceError(f"{source.file} doesn't say what its token embeddings are; {_HOW}")
    names = [printable(kind.get("__cls__")) for kind in kinds]
    if names != ["WordEmbeddings"]:
        raise SourceError(
            f"{source.file} reads {' and '.join(names) or 'nothing'}; one WordEmbeddings is what can be imported, "
            "since what others give depends on more than the word"
        )
    (words,) = kinds
    if words.get("field") is not None:
        raise SourceError(f"{source.file} embeds the field {printable(words['field'])}, not the words of a sentence")
    if not isinstance(words.get("vocab"), dict):
        raise SourceError(f"{source.file} holds no vocabulary; {_HOW}")
    return dict(words)


def _check_names(source: WeightsFile) -> None:
    allowed = (_TABLE, f"{_WORDS}layer_norm.", _MAP, _CELLS)
    for name in source.tensors:
        if not name.startswith(allowed):
            raise SourceError(f"{source.file}: {printable(name)} is of no part that can be imported")
    if source.extras.get("rnn_type") not in ("LSTM", "GRU"):
        raise SourceError(f"{source.file}: rnn_type is {printable(source.extras.get('rnn_type'))}, not LSTM or GRU")


def _table(source: WeightsFile, words: dict[str, Any]) -> Tensor:
    """Return the table [words and one for the unknown, size], with flair's layer norm applied if it has one
    (`stable`).
    """
    table = source.tensors.get(_TABLE)
    if table is None or table.dim() != 2 or len(table) != len(words["vocab"]) + 1:
        had = "nothing" if table is None else list(table.shape)
        raise SourceError(
            f"{source.file}: {_TABLE} is {had}; a vocabulary of {len(words['vocab'])} words needs one row more"
        )
    for word, row in words["vocab"].items():
        if type(row) is not int or not 0 <= row < len(table) - 1:
            raise SourceError(
                f"{source.file}: the vocabulary puts {printable(word)!r} in row {printable(row)}; words have rows 0 to "
                f"{len(table) - 2}, and the last is of unknown ones"
            )
    must_name_each_row(words["vocab"], f"{source.file}: its vocabulary", rows=len(table) - 1, unused=())
    if not words.get("stable"):
        return table
    weight, bias = (source.tensors.get(f"{_WORDS}layer_norm.{name}") for name in ("weight", "bias"))
    return layer_norm(table, table.shape[1:], weight, bias)


def _projection(source: WeightsFile, size: int, inputs: int) -> dict[str, Tensor]:
    """Return the linear layer between table and cells, by our names; empty if there is none."""
    if not source.extras.get("reproject_words"):
        if inputs != size:
            raise SourceError(f"{source.file}: the cells read {inputs} numbers, and {_TABLE} has {size} a row")
        return {}
    made = {}
    for name, shape in {"weight": [inputs, size], "bias": [inputs]}.items():
        tensor = source.tensors.get(_MAP + name)
        if tensor is None or list(tensor.shape) != shape:
            had = "missing" if tensor is None else f"of shape {list(tensor.shape)}"
            raise SourceError(f"{source.file}: {_MAP}{name} is {had}; {shape} was expected")
        made[f"input_projection.{name}"] = tensor
    return made


def _lookup(vocabulary: dict[str, int], options: ImportOptions) -> _Lookup:
    """Find a lookup that is exact for every word if possible, and otherwise for the words in `options.words`."""
    lower = all(word == word.lower() for word in vocabulary)
    if lower and not any(re.search(r"[\d#]", word) for word in vocabulary):
        return _Lookup(vocabulary, lower, [])
    if options.words is None:
        raise SourceError(
            "flair looks for a word, then for it in lower case, then with # or 0 for its digits, and this vocabulary "
            f"has {'digits' if lower else 'capitals'}: no tokenizer.json tries one after another. Name a file of the "
            "words that sentences will hold with --words, and each gets the row that flair gives it"
        )
    rows = vocabulary | _resolved(words_of(options.words), vocabulary, lower=lower)
    kept, spelling = ("with digits ", "") if lower else ("", "in lower case and ")
    note = (
        f"A word {kept}that is neither in the vocabulary nor in {options.words.name} is unknown; flair would look for "
        f"it {spelling}with # or 0 for its digits too."
    )
    return _Lookup(rows, lower, [note])


def _resolved(words: Iterable[str], vocabulary: dict[str, int], *, lower: bool) -> dict[str, int]:
    """The row that flair gives to each of the words that it finds by another spelling."""
    found = {}
    for word in words:
        small = word.lower()
        for spelling in (word, small, re.sub(r"\d", "#", small), re.sub(r"\d", "0", small)):
            if spelling in vocabulary:
                found[small if lower else word] = vocabulary[spelling]
                break
    return found
