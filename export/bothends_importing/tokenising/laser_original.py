"""LASER 2's own path from text to rows, with sacremoses and SentencePiece, against which imports are checked.

It follows `LaserTokenizer` and `SentenceEncoder` of laser_encoders 0.0.2.
"""

import importlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from bothends.text import printable

from .definition import Tokenising, TokenisingError, must_load

_OPENING, _LOW = 21, 22
"""Places of two of sacremoses' substitutions that laser_encoders replaces."""
_PROBES = (
    "There will be dragons",
    "A MAN plays the „guitar“ (and a woman sings) .",
    "Il y aura des dragons\u00a0: une\u200bfemme chante…",
    "«\u00a0Oui\u00a0», dit-il ; 12 % de 3,5 – ou 4 —  non\u00a0!",
    "It‘s ‚so’ ``quoted'', isn´t it?",
    "ΟΔΥΣΣΕΥΣ İstanbul 日本語 한국어",
    "",
)


def must_agree(made: Tokenising, proto: Any, known: Mapping[str, int]) -> None:
    """Raise TokenisingError if a text gets other rows than LASER gives it; `known` is LASER's dictionary.

    The same rows in another order are allowed: a unigram model can split a run in two ways with equal scores.
    """
    try:
        moses = importlib.import_module("sacremoses").MosesPunctNormalizer("en", perl_parity=True)
    except ImportError:
        return
    moses.substitutions[_OPENING], moses.substitutions[_LOW] = ("‘", '"'), ("‚", '"')
    pieces = importlib.import_module("sentencepiece").SentencePieceProcessor(model_proto=proto.SerializeToString())
    ours = must_load(made.definition)
    for text in _PROBES:
        printing = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
        line = " ".join(pieces.encode(moses.normalize(printing).lower(), out_type=str))
        words = re.sub(r"\s+", " ", line).strip().split()
        rows = [*(known.get(word, known["<unk>"]) for word in words), known["</s>"]]
        if sorted(made.rows[index] for index in ours.encode(text).ids) != sorted(rows):
            raise TokenisingError(f"LASER gives other rows for {printable(ascii(text))}, so its text can't be had")
