"""Converts a SentencePiece model's pieces to the model of a tokenizer.json: unigram, BPE or characters.

The tokenizers library finds any entry in a text, while SentencePiece finds no control symbols, unknown symbol or byte
pieces. So these get names that can't occur, since spaces have become `▁` before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bothends.text import printable

from .definition import TokenisingError

UNIGRAM, BPE, WORD, CHAR = 1, 2, 3, 4
"""TrainerSpec.ModelType."""
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""ModelProto.SentencePiece.Type."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Model of a tokenizer.json, and the original piece for each id."""

    model: dict[str, Any]
    sources: list[int]
    """The source's piece by id; unused pieces are gone."""
    swapped: tuple[str, str] | None
    """A character that normalised text must have replaced by another, last of all; None if there is none."""


def entries(proto: Any) -> Entries:
    """Convert a ModelProto to entries. Raises TokenisingError for what a tokenizer.json can't express."""
    pieces, kind = proto.pieces, proto.trainer_spec.model_type
    _must_be_sound(pieces, byte_fallback=proto.trainer_spec.byte_fallback)
    if kind == WORD:
        raise TokenisingError("it is a model of words, which joins unknown words to one token; that can't be had")
    if kind not in (UNIGRAM, BPE, CHAR):
        raise TokenisingError(f"its model type {kind} is unknown; supported are unigram, BPE and char")
    if kind != UNIGRAM and any(piece.type in (USER_DEFINED, UNUSED) for piece in pieces):
        raise TokenisingError("it has user-defined or unused pieces, which are supported in unigram models only")
    return _unigram(proto) if kind == UNIGRAM else _merging(proto)


def _must_be_sound(pieces: Sequence[Any], *, byte_fallback: bool) -> None:
    texts = [piece.piece for piece in pieces]
    if not all(isinstance(text, str) for text in texts):  # protobuf hands out bytes where they are no UTF-8
        raise TokenisingError("it has a piece that is no UTF-8 text")
    if len(set(texts)) < len(texts) or "" in texts:
        raise TokenisingError("it has a piece twice, or an empty one")
    if any(" " in text or "\0" in text for text in texts):
        raise TokenisingError("it has a piece with a space in it")
    unknown = sum(piece.type == UNKNOWN for piece in pieces)
    if unknown > 1 or (unknown == 0 and not byte_fallback):
        raise TokenisingError(f"it has {unknown} pieces for unknown characters; expected one")
    if not all(-1e9 < piece.score < 1e9 for piece in pieces):
        raise TokenisingError("the score of a piece is no number that can be used")
    found = {piece.piece for piece in pieces if piece.type == BYTE}
    if found != ({f"<0x{byte:02X}>" for byte in range(256)} if byte_fallback else set()):
        raise TokenisingError("its byte pieces are incomplete, or there although byte_fallback is off")


def _unigram(proto: Any) -> Entries:
    """Entries of a unigram model. With byte pieces, whose names the library asks for, `<` becomes a space."""
    bytes_too = proto.trainer_spec.byte_fallback
    kept = [index for index, piece in enumerate(proto.pieces) if piece.type != UNUSED]
    normal = [piece.score for piece in proto.pieces if piece.type == NORMAL]
    if not normal:
        raise TokenisingError("it has no piece that text could become")
    vocabulary, unknown = [], None
    for index in kept:
        piece = proto.pieces[index]
        text = piece.piece.replace("<", " ") if bytes_too else piece.piece
        if piece.type == NORMAL:
            vocabulary.append([text, piece.score])
        elif piece.type == USER_DEFINED:  # the source's bonus, so that they win
            vocabulary.append([text, 0.1 * (len(piece.piece.encode()) - 1)])
        elif piece.type == BYTE:
            vocabulary.append([piece.piece, max(normal)])
        else:
            unknown = len(vocabulary) if piece.type == UNKNOWN else unknown
            vocabulary.append([f"<{piece.piece}" if bytes_too else f" {piece.piece}", max(normal)])
    if unknown is None:  # the library wants one, though every character has its bytes
        unknown, kept = len(vocabulary), [*kept, kept[0]]
        vocabulary.append(["<<unk>", max(normal)])
    model = {"type": "Unigram", "unk_id": unknown, "vocab": vocabulary, "byte_fallback": bytes_too}
    return Entries(model, _of_less_than(proto, kept) if bytes_too else kept, ("<", " ") if bytes_too else None)


def _of_less_than(proto: Any, kept: list[int]) -> list[int]:
    """Map the byte of a space, which nothing else asks for, to that of `<`, which is no piece in such models."""
    index = {proto.pieces[source].piece: at for at, source in enumerate(kept)}
    return [kept[index["<0x3C>"]] if at == index["<0x20>"] else source for at, source in enumerate(kept)]


def _merging(proto: Any) -> Entries:
    """BPE's scores are the order of its merges; a model of characters merges nothing."""
    pieces = proto.pieces
    normal = {piece.piece: piece.score for piece in pieces if piece.type == NORMAL}
    merges = _merges(normal) if proto.trainer_spec.model_type == BPE else []
    names = [piece.piece if piece.type == NORMAL or len(piece.piece) > 1 else f" {piece.piece}" for piece in pieces]
    unknown = next((name for name, piece in zip(names, pieces, strict=True) if piece.type == UNKNOWN), None)
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": unknown,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": proto.trainer_spec.byte_fallback,
        "ignore_merges": False,
        "vocab": {name: index for index, name in enumerate(names)},
        "merges": merges,
    }
    return Entries(model, list(range(len(pieces))), None)


def _merges(scores: dict[str, float]) -> list[list[str]]:
    longer = [piece for piece in scores if len(piece) > 1]
    if len({scores[piece] for piece in longer}) < len(longer):
        raise TokenisingError("two pieces of the BPE model have one score, so their order depends on the text")
    found = []
    for piece in sorted(longer, key=lambda piece: -scores[piece]):
        if missing := next((character for character in piece if character not in scores), None):
            raise TokenisingError(
                f"the piece {printable(piece)!r} holds {printable(missing)!r}, which is no piece of the BPE model"
            )
        halves = ((piece[:at], piece[at:]) for at in range(1, len(piece)))
        found += [[left, right] for left, right in halves if left in scores and right in scores]
    return found
