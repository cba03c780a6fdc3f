"""Converts a SentencePiece .model to a tokenizer.json, and checks that both give the same ids.

The caller says which row a piece has, if it isn't the piece's own id.
"""

import importlib
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from bothends.text import printable

from .charsmap import mapping
from .definition import Step, Tokenising, TokenisingError, assemble, literal, must_load, replace
from .pieces import CONTROL, NORMAL, UNIGRAM, USER_DEFINED, Entries, entries
from .rows import OF_PIECES, must_name_each_row

_SPACE = "▁"
"""Character U+2581, which replaces a space in pieces."""

TIES = (
    "Where two ways to cut a run such as '!!!!' have the same score, SentencePiece's choice hangs on the rounding of"
    " its 32-bit sums; here the first way found is taken."
)
"""Note of what can differ with a unigram model. Measured: 3 of 30,000 real sentences with a model of 1,500 pieces."""

IOTA = (
    "A Greek letter followed by U+0345, the iota below as a character of its own, becomes the letter and a full iota;"
    " SentencePiece's tables with case folding join the two."
)
"""Note of what can differ with a table that folds case."""

_ROUNDING = 1e-5
"""Relative error of a score that is a 32-bit sum of some tens of pieces' own."""

_PROBES = (
    'The quick brown fox, it\'s 3.14% of $5 (or so)... "quoted" – and/or «that»?',
    "  two  spaces\tand\u00a0others\u3000here \u200b \u2028 ",
    "e\u0301a\u0308\u0304 ﬁ ½ ① ℌ ２０ ｶﾞ \u1112\u1161\u11ab \u0e33 \u212b \u0132 ſ ß İ Σ ς",
    "日本語 中文 한국어 Ελληνικά русский עברית العربية हिन्दी 👩\u200d👧 🇨🇭 1️⃣",
    "<s> </s> <unk> <pad> <0x41> ▁a a▁ ▁ <",
    "\x00\x01\x1b\x7f\x85\r\n",
    "",
    " ",
)
_MAX_PROBES = 3000


def read_model(path: Path) -> Any:
    """Read the ModelProto in a file.

    Raises TokenisingError, naming the file, if it isn't one or the package is missing.
    """
    try:
        module = importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    except ImportError as error:
        raise TokenisingError("a SentencePiece model needs a package: pip install 'bothends[import]'") from error
    proto = module.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except OSError as error:
        raise TokenisingError(f"{path} can't be read: {error.strerror}") from error
    except Exception as error:  # DecodeError, or ValueError in the pure-Python protobuf
        raise TokenisingError(f"{path} is no SentencePiece model: {printable(error)}") from error
    if not proto.pieces or not proto.HasField("trainer_spec"):
        raise TokenisingError(f"{path} is no SentencePiece model: it has no pieces or no trainer_spec")
    return proto


def tokenise_sentencepiece(
    path: Path, *, rows: int, unused: Collection[int] = (), bos: bool = False, eos: bool = False
) -> Tokenising:
    """Return the tokenizer.json of a SentencePiece model whose piece i has row i in a table of `rows` rows.

    Rows in `unused` have no piece. `bos` and `eos` put the model's symbols around each text, like the library's
    `add_bos` and `add_eos`. Raises TokenisingError, naming the file, for a model that can't be converted or doesn't
    fit.
    """
    proto = read_model(path)
    found = tokenise_pieces(proto, range(len(proto.pieces)), source=path, bos=bos, eos=eos)
    pieces = {piece.piece: index for index, piece in enumerate(proto.pieces)}
    must_name_each_row(pieces, path, rows=rows, unused=unused, causes=OF_PIECES)
    return found


def tokenise_pieces(
    proto: Any,
    rows_of: Sequence[int],
    *,
    source: Path,
    first: Sequence[Step] = (),
    bos: bool = False,
    eos: bool = False,
) -> Tokenising:
    """Return the tokenizer.json of a SentencePiece model, `proto`, whose piece i has row `rows_of[i]`; errors name its
    file, `source`.

    The steps in `first` are applied to the text before the model's own. `bos` and `eos` are as in
    `tokenise_sentencepiece`.
    """
    try:
        found = entries(proto)
        steps = [*_normalising(proto), *([literal(*found.swapped)] if found.swapped else [])]
        _must_agree(proto, found, steps)
        before = [_symbol(proto, found, proto.trainer_spec.bos_piece)] if bos else []
        after = [_symbol(proto, found, proto.trainer_spec.eos_piece)] if eos else []
        definition = assemble(found.model, normalise=[*first, *steps], before=before, after=after)
    except TokenisingError as error:
        raise TokenisingError(f"{source}: {error}") from error
    notes = [TIES] if proto.trainer_spec.model_type == UNIGRAM else []
    notes += [IOTA] if proto.normalizer_spec.name.endswith("_cf") else []
    return Tokenising(definition, [rows_of[index] for index in found.sources], tuple(notes))


def _normalising(proto: Any) -> list[Step]:
    spec = proto.normalizer_spec
    if not spec.escape_whitespaces:
        raise TokenisingError("its spaces are not escaped (escape_whitespaces is false), which isn't supported")
    if proto.trainer_spec.treat_whitespace_as_suffix:
        raise TokenisingError("its spaces stand behind words (treat_whitespace_as_suffix), which isn't supported")
    squeezed = [replace(r"\A +", ""), replace(" {2,}", " ")] if spec.remove_extra_whitespaces else []
    steps = [*mapping(spec.precompiled_charsmap, name=spec.name), *squeezed]
    if spec.add_dummy_prefix:
        # Where spaces at the start stay, a text that the table empties still has its prefix.
        steps.insert(len(steps) if squeezed else 0, {"type": "Prepend", "prepend": _SPACE})
    steps.append(literal(" ", _SPACE))
    if squeezed:
        steps.append(replace(rf"(?<!{_SPACE}){_SPACE}++\z", ""))  # those that the text itself had too
    return steps


def _symbol(proto: Any, found: Entries, text: str) -> tuple[str, int]:
    for index, source in enumerate(found.sources):
        if proto.pieces[source].piece == text and proto.pieces[source].type == CONTROL:
            return text, index
    raise TokenisingError(f"it has no control symbol {printable(text)!r} to set around a text")


def _must_agree(proto: Any, found: Entries, steps: Sequence[Step]) -> None:
    """Raise TokenisingError if the library gives other ids for hard texts or for the model's own pieces."""
    library = importlib.import_module("sentencepiece")
    try:
        original = library.SentencePieceProcessor(model_proto=proto.SerializeToString())
    except RuntimeError as error:
        raise TokenisingError(f"SentencePiece itself can't load it: {printable(error)}") from error
    ours = must_load(assemble(found.model, normalise=steps))
    pieces = [piece.piece for piece in proto.pieces if piece.type == NORMAL]
    texts = [f"a{piece.piece}b {piece.piece}" for piece in proto.pieces if piece.type == USER_DEFINED]
    texts += [piece.replace(_SPACE, " ") for piece in pieces[:: len(pieces) // _MAX_PROBES + 1]]
    for text in [*texts, *_PROBES]:
        ids = [found.sources[index] for index in ours.encode(text).ids]
        if not _agree(proto, ids, original.encode(text)):
            raise TokenisingError(f"SentencePiece gives other ids for {printable(ascii(text))}, so it can't be had")


def _agree(proto: Any, ids: list[int], theirs: list[int]) -> bool:
    """Return whether both are the same, or two ways of a unigram model's that tie, as TIES says."""
    if ids == theirs or proto.trainer_spec.model_type != UNIGRAM:
        return ids == theirs
    score, other = (math.fsum(proto.pieces[index].score for index in found) for found in (ids, theirs))
    return math.isclose(score, other, rel_tol=_ROUNDING)
