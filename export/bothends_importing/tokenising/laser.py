"""Converts LASER's tokenisers: LASER 2's preprocessing and SentencePiece model, LASER 1's fastBPE codes.

LASER looks pieces up in the checkpoint's own dictionary, whose first four rows are always the same.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from bothends.text import printable

from .definition import (
    SPACE,
    Step,
    Tokenising,
    TokenisingError,
    assemble,
    literal,
    lowered,
    must_be_text,
    replace,
    split_out,
)
from .laser_original import must_agree
from .pieces import UNKNOWN
from .rows import OF_PIECES, must_name_each_row
from .sentencepiece import read_model, tokenise_pieces
from .vocabulary import text_of

_FIXED = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
_NBSP, _END = "\u00a0", "</w>"
MOSES = (
    "LASER 1 tokenises text with the Moses scripts for its language first. That can't be had in a tokenizer.json: send"
    " text that is tokenised and lower-cased, with a space between tokens."
)
"""Note of the steps that LASER 1's text must have passed already."""
VOCABULARY = (
    "LASER 1 takes subwords that its fastBPE vocabulary (fvocab) lacks apart again; here they are unknown, as every"
    " subword is that the checkpoint's dictionary lacks."
)
"""Note on the difference from a fastBPE that is given a vocabulary."""


def tokenise_laser2(
    model: Path, dictionary: Mapping[str, int], *, rows: int, unused: Collection[int] = ()
) -> Tokenising:
    """Convert LASER 2's tokeniser: unprintable characters become spaces; Moses' punctuation; lower case; pieces;
    `</s>`.

    `dictionary` is the checkpoint's, from piece to row of a table with `rows` rows; those in `unused` have no piece.
    Pieces that it lacks share the row of `<unk>`. It follows `LaserTokenizer` of laser_encoders for English, which
    LASER uses for every language. Raises TokenisingError, naming the model or the piece.
    """
    known = _known(dictionary, rows, unused)
    proto = read_model(model)
    names = [piece.piece for piece in proto.pieces]
    rows_of = [known["<unk>"] if p.type == UNKNOWN else known.get(p.piece, known["<unk>"]) for p in proto.pieces]
    if proto.trainer_spec.eos_piece != "</s>":
        raise TokenisingError(f"{model}: its end is {printable(proto.trainer_spec.eos_piece)!r}; LASER's is </s>")
    found = tokenise_pieces(proto, rows_of, source=model, first=preprocessing(), eos=True)
    must_agree(found, proto, known)
    if extra := len(known.keys() - names - _FIXED.keys()):
        note = (
            f"{extra} entries of LASER's dictionary are no pieces of the SentencePiece model. A run of unknown"
            " characters that is just such an entry gets its row in LASER, and <unk>'s here."
        )
        return Tokenising(found.definition, found.rows, (*found.notes, note))
    return found


def preprocessing() -> list[Step]:
    """Return LASER 2's steps before SentencePiece: sacremoses' MosesPunctNormalizer with its Perl parity, then lower
    case.
    """
    return [
        replace(r"\p{C}", " "),
        *_brackets(),
        *_quotes(),
        *_french_quotes_and_hard_spaces(),
        # `"([,.]+)` → `\1"`: first the new quote, then away with the old one.
        replace(r'"[,.]++\K', '"'),
        replace(r'"(?=[,.])', ""),
        _between(r"\d", _NBSP, "."),
        replace(rf"\A{SPACE}++|(?<!{SPACE}){SPACE}++\z", ""),
        *lowered(),
    ]


def _between(side: str, what: str, content: str) -> Step:
    r"""`(side)what(side)` → `\1content\2`. A match there eats both sides: the second can't be the first of the next."""
    return replace(rf"(?:\A|(?!\G)){side}\K{what}(?={side})", content)


def _brackets() -> list[Step]:
    return [
        literal("(", " ("),
        literal(")", ") "),
        replace(" +", " "),
        replace(r"(?<=\)) (?=[.!:?;,])", ""),
        literal("( ", "("),
        literal(" )", ")"),
        replace(r"(?<=\d) %", "%"),
        literal(" :", ":"),
        literal(" ;", ";"),
    ]


def _quotes() -> list[Step]:
    return [
        literal("`", "'"),
        literal("''", ' " '),
        replace("[„“”]", '"'),
        literal("–", "-"),
        literal("—", " - "),
        replace(" +", " "),
        literal("´", "'"),
        _between("[a-zA-Z]", "‘", "'"),
        _between("[a-zA-Z]", "’", "'"),
        replace("[‘‚’]", '"'),
        literal("''", '"'),
        literal("…", "..."),
    ]


def _french_quotes_and_hard_spaces() -> list[Step]:
    quotes = [
        ("\u00a0«\u00a0", ' "'),
        ("«\u00a0", '"'),
        ("«", '"'),
        ("\u00a0»\u00a0", '" '),
        ("\u00a0»", '"'),
        ("»", '"'),
    ]
    hard = [(":", ":"), ("ºC", " ºC"), ("cm", " cm"), ("?", "?"), ("!", "!"), (";", ";")]
    return [
        *(literal(old, new) for old, new in quotes),
        literal(f"{_NBSP}%", "%"),
        literal(f"nº{_NBSP}", "nº "),
        *(literal(_NBSP + old, new) for old, new in hard),
        literal(f",{_NBSP}", ", "),
        replace(" +", " "),
    ]


def tokenise_laser1(
    codes: Path, dictionary: Mapping[str, int], *, rows: int, unused: Collection[int] = ()
) -> Tokenising:
    """Convert LASER 1's tokeniser for pre-tokenised text: words cut at white space, fastBPE's merges, `</s>`.

    `codes` has a line `left right count` for each merge; `dictionary` is the checkpoint's, in which `ab@@` is a subword
    that continues. Raises TokenisingError, naming file and line.
    """
    known = _known(dictionary, rows, unused)
    merges = _merges(codes)
    symbols = [*_characters(known), *(part for left, right in merges for part in (left, right, left + right))]
    names = list(dict.fromkeys(symbols))
    ids = {name: index for index, name in enumerate(["<unk>", "</s>", *names])}
    rows_of = [known["<unk>"], known["</s>"], *(known.get(_in_dictionary(name), known["<unk>"]) for name in names)]
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": "<unk>",
        "continuing_subword_prefix": None,
        "end_of_word_suffix": _END,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": ids,
        "merges": [list(pair) for pair in merges],
    }
    definition = assemble(model, split=[split_out(f"{SPACE}+")], after=[("</s>", ids["</s>"])])
    return Tokenising(definition, rows_of, (MOSES, VOCABULARY))


def _characters(known: Mapping[str, int]) -> list[str]:
    """Single characters of the dictionary, as the merges write them: no merge need name them."""
    ends = [word + _END for word in known if len(word) == 1]
    return ends + [word[0] for word in known if len(word) == 3 and word.endswith("@@")]


def _in_dictionary(symbol: str) -> str:
    return symbol.removesuffix(_END) if symbol.endswith(_END) else f"{symbol}@@"


def _merges(codes: Path) -> list[tuple[str, str]]:
    merges: dict[tuple[str, str], int] = {}
    for number, line in enumerate(text_of(codes).removesuffix("\n").split("\n"), 1):
        parts = line.split(" ")
        if len(parts) != 3 or not all(parts[:2]) or not parts[2].isdecimal():
            raise TokenisingError(
                f"{codes}:{number}: expected 'left right count' of a merge, found {printable(line)!r}"
            )
        pair = (parts[0], parts[1])
        if (first := merges.setdefault(pair, number)) != number:
            raise TokenisingError(f"{codes}:{number}: the merge {printable(line)!r} stands in line {first} too")
    return list(merges)


def _known(dictionary: Mapping[str, int], rows: int, unused: Collection[int]) -> dict[str, int]:
    """The dictionary with LASER's four fixed rows, as its encoder sets them whatever the checkpoint says.

    Raises TokenisingError unless each row has one piece; the fixed rows may have another name in the dictionary too.
    """
    known = {**dictionary, **_FIXED}
    for piece, row in known.items():
        must_be_text(piece, "LASER's dictionary")
        if row < 0:
            raise TokenisingError(f"LASER's dictionary gives {printable(piece)!r} row {row}; rows count from 0")
    fixed = set(_FIXED.values())
    named = {piece: row for piece, row in known.items() if piece in _FIXED or row not in fixed}
    must_name_each_row(named, "LASER's dictionary", rows=rows, unused=unused, causes=OF_PIECES)
    return known
