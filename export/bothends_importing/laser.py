"""Imports LASER 1 and 2: `params`, `model` and `dictionary` in one file, the tokenizer's pieces in another.

It follows facebookresearch/LASER (laser_encoders/models.py, LaserLstmEncoder and SentenceEncoder): the pieces of a
sentence and </s> pass a table and a bidirectional LSTM, and the embedding is the maximum of each output over them.
"""

from collections.abc import Sequence
from typing import Any

from bothends.model.architecture import EncoderConfig
from bothends.text import printable

from .imported_encoder import ImportedEncoder
from .options import MAX_TOKENS, ImportOptions
from .recurrent import RecurrentLayers, recurrent_layers
from .source import SourceError, WeightsFile
from .tokenising.definition import Tokenising
from .tokenising.laser import tokenise_laser1, tokenise_laser2
from .tokenising.rows import unused_rows

TABLE = "embed_tokens.weight"
_CELLS = "lstm."
_MARKS = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
"""Rows in which laser_encoders puts these pieces, whatever the dictionary says."""


def laser(source: WeightsFile, options: ImportOptions, *, unused: Sequence[int | str] = ()) -> ImportedEncoder:
    """Import `laser2.pt` or another LASER encoder with an LSTM; `unused` names the rows of its table without a piece.

    Raises SourceError that says what is missing or wrong.
    """
    params = _params(source)
    found = recurrent_layers(source.tensors, _CELLS, file=source.file)
    table = source.tensors.get(TABLE)
    if table is None or table.dim() != 2 or table.shape[1] != found.input_size:
        had = "no" if table is None else f"shape {list(table.shape)} for"
        raise SourceError(f"{source.file} has {had} {TABLE}; LASER's is [num_embeddings, {found.input_size}]")
    for name in source.tensors:
        if name != TABLE and not name.startswith(_CELLS):
            raise SourceError(f"{source.file}: {printable(name)} is none of LASER's tensors: {TABLE} and {_CELLS}*")
    _check_params(params, found, len(table), source)
    tokenising = _tokenising(source, options, unused, len(table))
    rows = table[tokenising.rows]
    encoder = EncoderConfig(
        pooling="max", vocabulary_size=len(rows), embedding_size=found.input_size, **found.sizes()
    )  # fmt: skip
    return ImportedEncoder(
        encoder,
        {"embedding.weight": rows, **found.weights},
        tokenising.definition,
        options.max_tokens or MAX_TOKENS,
        "laser",
        {"embedding.weight": TABLE, **found.origins},
        tokenising.rows,
        [*source.notes, *tokenising.notes],
    )


def _params(source: WeightsFile) -> dict[str, Any]:
    params = source.extras.get("params")
    if isinstance(params, dict):
        return params
    if "cfg" in source.extras:
        raise SourceError(f"{source.file} is a transformer of LASER 3; only LASER's LSTM encoders can be imported")
    raise SourceError(
        f"{source.file} has no `params` beside its weights; LASER's files hold params, model and dictionary"
    )


def _check_params(params: dict[str, Any], found: RecurrentLayers, vocabulary_size: int, source: WeightsFile) -> None:
    """Raise SourceError unless the weights are of the sizes that the file says."""
    defaults = {"embed_dim": 320, "hidden_size": 512, "num_layers": 1, "bidirectional": False}
    actual = {
        "num_embeddings": vocabulary_size,
        "embed_dim": found.input_size,
        "hidden_size": found.hidden_size,
        "num_layers": found.layers,
        "bidirectional": found.bidirectional,
    }
    for name, value in actual.items():
        said = params.get(name, defaults.get(name))
        if found.cell != "lstm" or not found.bias or said != value:
            raise SourceError(
                f"{source.file}: params say {name} = {printable(said)}, and the weights are of {value}: they don't "
                "belong together"
            )


def _dictionary(source: WeightsFile) -> dict[str, int]:
    """Row of each piece."""
    dictionary = source.extras.get("dictionary")
    if not isinstance(dictionary, dict) or not dictionary:
        raise SourceError(f"{source.file} has no `dictionary` of pieces beside its weights")
    for mark, row in _MARKS.items():
        if dictionary.get(mark, row) != row:
            raise SourceError(
                f"{source.file}: the dictionary has {mark} in row {printable(dictionary[mark])}, LASER in row {row}"
            )
    for piece, row in dictionary.items():
        if not isinstance(piece, str) or type(row) is not int:
            raise SourceError(f"{source.file}: the dictionary has {printable(row)} as the row of {printable(piece)}")
    return dictionary


def _tokenising(source: WeightsFile, options: ImportOptions, said: Sequence[int | str], rows: int) -> Tokenising:
    dictionary = _dictionary(source)
    unused = unused_rows(said, rows=rows)
    if options.spm is not None and options.codes is not None:
        raise SourceError("--spm is LASER 2's, --codes LASER 1's; give one of them")
    if options.spm is not None:
        return tokenise_laser2(options.spm, dictionary, rows=rows, unused=unused)
    if options.codes is not None:
        return tokenise_laser1(options.codes, dictionary, rows=rows, unused=unused)
    raise SourceError(
        "LASER's pieces stand in a file of their own: name LASER 2's SentencePiece model (laser2.spm) with --spm, or "
        "LASER 1's fastBPE codes (93langs.fcodes) with --codes"
    )
