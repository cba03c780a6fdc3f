"""LASER 1 and 2 (`params`, `model` and `dictionary` in one file, and a SentencePiece model) to an encoder of ours.

As facebookresearch/LASER has it (laser_encoders/models.py, LaserLstmEncoder and SentenceEncoder): the pieces of a
sentence and </s> through a table and a bidirectional LSTM, and the maximum of each of its outputs over them. Knows
nothing of how a file is opened or text becomes pieces.
"""

from typing import Any

from bothends.architecture import EncoderConfig
from bothends.validation import printable

from ..tokenising.definition import Tokenising
from ..tokenising.words import WordRules, tokenise_words
from .asked import MAX_TOKENS, Asked
from .cells import Cells, cells
from .imported import Imported
from .source import Opened, SourceError

TABLE = "embed_tokens.weight"
_CELLS = "lstm."
_MARKS = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
"""Where laser_encoders puts them, whatever the dictionary says."""


def laser(opened: Opened, asked: Asked) -> Imported:
    """Import `laser2.pt` or another LSTM encoder of LASER's. Raises SourceError that says what is missing or wrong."""
    params = _params(opened)
    found = cells(opened.tensors, _CELLS, file=opened.file)
    table = opened.tensors.get(TABLE)
    if table is None or table.dim() != 2 or table.shape[1] != found.input_size:
        had = "no" if table is None else f"shape {list(table.shape)} for"
        raise SourceError(f"{opened.file} has {had} {TABLE}; LASER's is [num_embeddings, {found.input_size}]")
    for name in opened.tensors:
        if name != TABLE and not name.startswith(_CELLS):
            raise SourceError(f"{opened.file}: {printable(name)} is none of LASER's tensors: {TABLE} and {_CELLS}*")
    _check_params(params, found, len(table), opened)
    dictionary = _dictionary(opened, len(table))
    tokenising = _tokenising(dictionary, asked, rows=len(table))
    rows = table[tokenising.rows]
    encoder = EncoderConfig(
        pooling="max", vocabulary_size=len(rows), embedding_size=found.input_size, **found.sizes()
    )  # fmt: skip
    return Imported(
        encoder,
        {"embedding.weight": rows, **found.weights},
        tokenising.definition,
        asked.max_tokens or MAX_TOKENS,
        "laser",
        {"embedding.weight": TABLE, **found.origins},
        [*opened.notes, *tokenising.notes],
    )


def _params(opened: Opened) -> dict[str, Any]:
    params = opened.extras.get("params")
    if isinstance(params, dict):
        return params
    if "cfg" in opened.extras:
        raise SourceError(f"{opened.file} is a transformer of LASER 3; only LASER's LSTM encoders can be imported")
    raise SourceError(
        f"{opened.file} has no `params` beside its weights; LASER's files hold params, model and dictionary"
    )


def _check_params(params: dict[str, Any], found: Cells, vocabulary_size: int, opened: Opened) -> None:
    """Whatever the file says of its own weights is so."""
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
                f"{opened.file}: params say {name} = {printable(said)}, and the weights are of {value}: they don't "
                "belong together"
            )


def _dictionary(opened: Opened, vocabulary_size: int) -> dict[str, int]:
    """Which row each piece has. The marks stand where laser_encoders puts them."""
    dictionary = opened.extras.get("dictionary")
    if not isinstance(dictionary, dict) or not dictionary:
        raise SourceError(f"{opened.file} has no `dictionary` of pieces beside its weights")
    for mark, row in _MARKS.items():
        if dictionary.get(mark, row) != row:
            raise SourceError(
                f"{opened.file}: the dictionary has {mark} in row {printable(dictionary[mark])}, LASER in row {row}"
            )
    for piece, row in dictionary.items():
        if not isinstance(row, int) or not 0 <= row < vocabulary_size:
            raise SourceError(
                f"{opened.file}: the dictionary puts {printable(piece)!r} in row {printable(row)}, and {TABLE} has "
                f"{vocabulary_size} rows"
            )
    return {str(piece): row for piece, row in dictionary.items()} | _MARKS


def _tokenising(dictionary: dict[str, int], asked: Asked, *, rows: int) -> Tokenising:
    if asked.tokenised:
        rules = WordRules("whitespace", lowercase=False, unknown="<unk>", after=("</s>",))
        return tokenise_words(dictionary, rules, rows=rows)
    raise SourceError("name it with --spm")
