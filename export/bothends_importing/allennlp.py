"""Imports an AllenNLP model that has an `lstm` or `gru` Seq2Vec encoder.

It follows allennlp 2.10 (modules/seq2vec_encoders/pytorch_seq2vec_wrapper.py, models/basic_classifier.py): a token
table, a projection if its embedder has one, the last layer's final states, and a `feedforward` of one layer if the
model has that. The classification layer after it is left out.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from torch import Tensor

from bothends.model.architecture import EncoderConfig, Head
from bothends.text import printable

from .imported_encoder import ImportedEncoder
from .options import MAX_TOKENS, ImportOptions
from .readers.archive import Archive
from .recurrent import recurrent_layers
from .source import SourceError, join_names
from .tokenising.definition import TokenisingError
from .tokenising.vocabulary import read_allennlp
from .tokenising.word_rules import WordRules
from .tokenising.words import tokenise_words

_TABLE = re.compile(r"(?:.*\.)?_?\w*text_field_embedder\.token_embedder_(\w+)\.weight")
_CELLS = re.compile(r"((?:.*\.)?\w*seq2vec_encoder\._module\.)weight_ih_l0")
_HEAD = re.compile(r"((?:.*\.)?\w*feedforward\._linear_layers\.)(\d+)\.(?:weight|bias)")
_LEFT_OUT = re.compile(r"(?:.*\.)?_?(?:classification_layer|projection_layer)\..*")
_UNKNOWN = "@@UNKNOWN@@"
Then = Literal["none", "tanh", "relu"]
_THEN: dict[str, Then] = {"linear": "none", "tanh": "tanh", "relu": "relu"}


@dataclass(frozen=True, slots=True)
class _Reading:
    """Settings by which the model's reader makes tokens of text, and rows of tokens."""

    split: str
    """Way to split text: "whitespace", or what its config calls another one."""
    namespace: str = "tokens"
    lower: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    max_tokens: int | None = None


def allennlp(archive: Archive, options: ImportOptions) -> ImportedEncoder:
    """Import an AllenNLP model. Raises SourceError that says what is missing, wrong, or can't be mapped."""
    tensors = dict(archive.weights.tensors)
    table_name, embedder = _only(_TABLE, tensors, "table of a text field's tokens", archive)
    _, prefix = _only(_CELLS, tensors, "Seq2Vec encoder of lstm or gru", archive)
    found = recurrent_layers(tensors, prefix, file=archive.source)
    table = tensors[table_name]
    projection = _projection(tensors, table_name, table, found.input_size, archive)
    head_prefix, head = _head(archive, tensors, options)
    used = {table_name, *found.origins.values(), *projection.values(), *head.values()}
    notes = _left_out([name for name in tensors if name not in used], head_prefix, options, archive)
    reading = _reading(archive, embedder, options)
    rules = WordRules("whitespace", reading.lower, _UNKNOWN, reading.before, reading.after)
    tokenising = tokenise_words(_vocabulary(archive, reading, len(table)), rules, rows=len(table))
    rows = table[tokenising.rows]
    renamed = {**found.origins, **projection, **head}
    encoder = EncoderConfig(
        vocabulary_size=len(rows),
        embedding_size=rows.shape[1],
        input_projection=found.input_size if projection else None,
        head=_head_config(archive, tensors, head),
        **found.sizes(),
    )
    return ImportedEncoder(
        encoder,
        {"embedding.weight": rows, **{name: tensors[theirs] for name, theirs in renamed.items()}},
        tokenising.definition,
        options.max_tokens or reading.max_tokens or MAX_TOKENS,
        "allennlp",
        {"embedding.weight": table_name, **renamed},
        tokenising.rows,
        [*archive.weights.notes, *_reading_notes(archive, options), *tokenising.notes, *notes],
    )


def _only(pattern: re.Pattern[str], tensors: Iterable[str], what: str, archive: Archive) -> tuple[str, str]:
    """Name of the one tensor that matches, and the pattern's first group in it."""
    found = [match for name in tensors if (match := pattern.fullmatch(name))]
    if len(found) != 1:
        raise SourceError(
            f"{archive.source} has {len(found) or 'no'} tensors of a {what}, and one is needed; "
            f"it holds {join_names([match[0] for match in found] or list(tensors))}"
        )
    return found[0][0], found[0][1]


def _projection(
    tensors: dict[str, Tensor], table_name: str, table: Tensor, inputs: int, archive: Archive
) -> dict[str, str]:
    """Return the names of the embedder's linear layer, from ours to the file's; empty if there is none."""
    prefix = table_name.removesuffix("weight") + "_projection."
    names = {f"input_projection.{part}": f"{prefix}{part}" for part in ("weight", "bias")}
    if table.dim() != 2:
        raise SourceError(f"{archive.source}: {table_name} has shape {list(table.shape)}, which is no table")
    if not any(name in tensors for name in names.values()):
        if table.shape[1] != inputs:
            raise SourceError(
                f"{archive.source}: {table_name} has {table.shape[1]} numbers a token, and the Seq2Vec encoder reads "
                f"{inputs}"
            )
        return {}
    for name, shape in zip(names.values(), ([inputs, table.shape[1]], [inputs]), strict=True):
        had = list(tensors[name].shape) if name in tensors else "missing"
        if had != shape:
            raise SourceError(f"{archive.source}: {name} is {had}; {shape} was expected")
    return names


def _head(archive: Archive, tensors: dict[str, Tensor], options: ImportOptions) -> tuple[str, dict[str, str]]:
    """Return the prefix of a feedforward's layers ("" if there is none), and the names of its only layer, from ours to
    theirs.
    """
    found = [match for name in tensors if (match := _HEAD.fullmatch(name))]
    if not found or not options.head:
        return (found[0][1] if found else ""), {}
    layers = 1 + max(int(match[2]) for match in found)
    if layers > 1:
        raise SourceError(
            f"{archive.source}: {found[0][1]}* has {layers} layers, and one after the pooling is what can be imported; "
            "leave it out with --no-head"
        )
    prefix = f"{found[0][1]}0."
    return found[0][1], {f"head.linear.{part}": f"{prefix}{part}" for part in ("weight", "bias")}


def _head_config(archive: Archive, tensors: dict[str, Tensor], head: dict[str, str]) -> Head | None:
    if not head:
        return None
    for theirs in head.values():
        if theirs not in tensors:
            raise SourceError(f"{archive.source} has no tensor {theirs}")
    model = (archive.config or {}).get("model", {})
    said = model.get("feedforward", {}).get("activations")
    activation = said[0] if isinstance(said, list) and len(said) == 1 else said
    name = activation.get("type") if isinstance(activation, dict) else activation
    if name not in _THEN:
        raise SourceError(
            f"{archive.source}: the feedforward's activation is {printable(name) if name else 'not told'}, and "
            f"{', '.join(_THEN)} are what can be imported; leave it out with --no-head"
        )
    return Head(size=len(tensors[head["head.linear.weight"]]), then=_THEN[cast(str, name)])


def _left_out(rest: list[str], head_prefix: str, options: ImportOptions, archive: Archive) -> list[str]:
    """Return notes about what isn't imported. Raises SourceError if that might come before the embedding."""
    dropped = [name for name in rest if head_prefix and name.startswith(head_prefix) and not options.head]
    dropped += [name for name in rest if _LEFT_OUT.fullmatch(name)]
    for name in rest:
        if name not in dropped:
            raise SourceError(
                f"{archive.source}: {printable(name)} is of a part that can't be imported: what can is a table of "
                "tokens, a Seq2Vec encoder of lstm or gru, and a feedforward of one layer"
            )
    return [f"Left out, as they come after the embedding: {join_names(dropped)}."] if dropped else []


def _reading(archive: Archive, embedder: str, options: ImportOptions) -> _Reading:
    if archive.config is None:
        return _Reading("whitespace")
    reader: dict[str, Any] = archive.config.get("dataset_reader", {})
    kind = reader.get("tokenizer", "spacy")
    split = kind.get("type", "spacy") if isinstance(kind, dict) else kind
    indexers = reader.get("token_indexers") or {embedder: {"type": "single_id"}}
    indexer = indexers.get(embedder)
    if not isinstance(indexer, dict) or indexer.get("type", "single_id") != "single_id":
        raise SourceError(
            f"{archive.source}: config.json has no token indexer {printable(embedder)} of the type single_id"
        )
    if indexer.get("feature_name", "text") not in ("text", "text_"):
        raise SourceError(
            f"{archive.source}: its tokens are looked up by {printable(indexer['feature_name'])}, not text"
        )
    if split not in ("whitespace", "just_spaces") and not options.tokenised:
        raise SourceError(
            f"{archive.source}: its reader splits text with the tokenizer {printable(split)}, which no tokenizer.json "
            "equals; with --tokenised, sentences are split at whitespace only, and callers tokenise them first"
        )
    return _Reading(
        split,
        indexer.get("namespace", "tokens"),
        bool(indexer.get("lowercase_tokens")),
        tuple(indexer.get("start_tokens") or ()),
        tuple(indexer.get("end_tokens") or ()),
        reader.get("max_sequence_length"),
    )


def _vocabulary(archive: Archive, reading: _Reading, rows: int) -> dict[str, int]:
    """Row of each token. Row 0, of padding, is no word's."""
    if archive.vocabulary is None:
        raise SourceError(f"{archive.source} has no vocabulary; give the folder that AllenNLP wrote with --vocabulary")
    try:
        words = read_allennlp(archive.vocabulary, namespace=reading.namespace)
    except TokenisingError as error:
        raise SourceError(str(error).replace(str(archive.vocabulary), f"{archive.source}: vocabulary")) from error
    if len(words) != rows:
        raise SourceError(
            f"{archive.source}: {reading.namespace}.txt of its vocabulary has {len(words) - 1} tokens, {len(words)} "
            f"with padding; the table has {rows} rows"
        )
    return {token: row for token, row in words.items() if row}


def _reading_notes(archive: Archive, options: ImportOptions) -> list[str]:
    if archive.config is None:
        return [
            f"{archive.source.name} doesn't say how text became tokens: it is split at whitespace, and kept as it is."
        ]
    if options.tokenised:
        return ["Text is split at whitespace only: send sentences as tokens with spaces between."]
    return []
