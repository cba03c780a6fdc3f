"""Imports InferSent 1 and 2: a state dict of `enc_lstm`, and word vectors in a separate file.

It follows facebookresearch/InferSent (models.py): <s>, the words, </s> as GloVe vectors for version 1, <p> and </p> as
fastText vectors for version 2; words without a vector are left out; a bidirectional LSTM; the maximum, or the mean, of
its outputs.
"""

from pathlib import Path
from typing import Literal

import torch

from bothends.model.architecture import EncoderConfig
from bothends.text import printable

from .imported_encoder import ImportedEncoder
from .options import MAX_TOKENS, ImportOptions
from .recurrent import recurrent_layers
from .source import SourceError, WeightsFile
from .tokenising.word_rules import WordRules
from .tokenising.words import tokenise_words
from .vectors import Vectors, read_max_frequent, read_words
from .wordlist import splitter, words_of

Version = Literal[1, 2]

_MARKS: dict[Version, tuple[str, str]] = {1: ("<s>", "</s>"), 2: ("<p>", "</p>")}
_TRAINED_WITH: dict[Version, str] = {1: "GloVe's glove.840B.300d.txt", 2: "fastText's crawl-300d-2M.vec"}
_TOP = 100_000
"""Number of words that its README takes."""
_PREFIX = "enc_lstm."


def infersent(source: WeightsFile, options: ImportOptions, *, version: Version) -> ImportedEncoder:
    """Import `infersent1.pkl` or `infersent2.pkl`. Raises SourceError that says what is missing or wrong."""
    found = recurrent_layers(source.tensors, _PREFIX, file=source.file)
    for name in source.tensors:
        if not name.startswith(_PREFIX):
            raise SourceError(f"{source.file}: {printable(name)} is none of InferSent's tensors, which are {_PREFIX}*")
    pooling: Literal["max", "mean"] = "mean" if options.pooling == "mean" else "max"
    if options.pooling not in (None, pooling):
        raise SourceError(f"--pooling {options.pooling}: an InferSent pools by max or by mean")
    rules = _rules(options, version)
    file, vectors = _vectors(options, version, rules, size=found.input_size)
    words = {word: row for row, word in enumerate(vectors.words)}
    tokenising = tokenise_words(words, rules, rows=len(words))
    table = torch.from_numpy(vectors.table)
    if tokenising.rows != list(range(len(table))):
        table = table[tokenising.rows]
    encoder = EncoderConfig(
        pooling=pooling, vocabulary_size=len(table), embedding_size=found.input_size, **found.sizes()
    )
    return ImportedEncoder(
        encoder,
        {"embedding.weight": table, **found.weights},
        tokenising.definition,
        options.max_tokens or MAX_TOKENS,
        f"infersent{version}",
        {"embedding.weight": printable(file.name), **found.origins},
        tokenising.rows,
        [
            *source.notes,
            _vocabulary_note(options, file, len(words)),
            *tokenising.notes,
            *_pooling_notes(version, pooling),
        ],
    )


def _rules(options: ImportOptions, version: Version) -> WordRules:
    first, last = _MARKS[version]
    split: Literal["whitespace", "nltk", "nltk_moses"] = "nltk" if version == 1 else "nltk_moses"
    return WordRules(
        "whitespace" if options.tokenised else split, lowercase=False, unknown=None, before=(first,), after=(last,)
    )


def _vectors(options: ImportOptions, version: Version, rules: WordRules, *, size: int) -> tuple[Path, Vectors]:
    """The file of word vectors, and those to take of it, the marks among them."""
    marks = _MARKS[version]
    if options.vectors is None:
        raise SourceError(
            f"InferSent keeps its word vectors in a file of their own: name it with --vectors (version {version} was "
            f"trained with {_TRAINED_WITH[version]})"
        )
    if options.words is not None:
        if options.top is not None:
            raise SourceError("--top and --words each say which words to take; give one of them")
        wanted = words_of(options.words, splitter(rules)) | set(marks)
        vectors = read_words(options.vectors, wanted, size=size, advance=options.advance)
    else:
        top = options.top or _TOP
        vectors = read_max_frequent(options.vectors, top, marks=marks, size=size, advance=options.advance)
    for mark in marks:
        if mark not in vectors.words:
            raise SourceError(
                f"{options.vectors} has no vector for {mark}, which InferSent {version} sets around each sentence; "
                f"it was trained with {_TRAINED_WITH[version]}"
            )
    return options.vectors, vectors


def _vocabulary_note(options: ImportOptions, file: Path, count: int) -> str:
    which = f"the words of {options.words.name}" if options.words else "the most frequent words"
    return (
        f"The vocabulary is {count} words: {which} that have vectors in {file.name}, and the marks. Other words are "
        "left out of a sentence, as InferSent leaves out words without a vector."
    )


def _pooling_notes(version: Version, pooling: str) -> list[str]:
    if pooling == "mean":
        return []
    if version == 1:
        return [
            "The original lets the zeros of padding into the maximum, so that its vector of a sentence changes with "
            "the longest one in the batch; here it is always that of the sentence by itself."
        ]
    return ["The original takes an output of exactly 0 as padding; here it is a number as others are."]
