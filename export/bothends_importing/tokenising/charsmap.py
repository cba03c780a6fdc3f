"""Converts the normalisation table of a SentencePiece model to normalisers of a tokenizer.json.

SentencePiece replaces the longest sequence of characters in the table. The tokenizers library reads the same table, but
looks up whole grapheme clusters of less than six bytes by their shortest prefix, and otherwise single characters. So
text is first cut where SentencePiece's sequences end, by a pattern made from the table; then each character is looked
up alone, and Unicode's composition (NFC) inside a sequence gives what the table says.
"""

import base64
import struct
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from bothends.text import printable

from .definition import Step, TokenisingError, literal, replace

_CUT, _INNER, _STAND_IN = "\ufff2", "\ufff3", "\ufff4"
"""Code points that Unicode will never give a meaning and that end a cluster; and what text that has one gets."""
_SUFFIXES = r"\p{M}\x{1160}-\x{11FF}"
"""Characters that composition and canonical order can join to the one before."""
_KNOWN = {"nfkc": 200, "nmt_nfkc": 200, "nfkc_cf": 1200, "nmt_nfkc_cf": 1200}
"""SentencePiece's own tables, and how many of their 220,000 sequences composition may get wrong. Measured: 21, of
scripts that the library's Unicode doesn't have yet; with case folding 834, of Greek letters with an iota below."""
_MAX_RULES, _LONGEST = 1 << 20, 64

_BYTES = [bytes((byte,)) for byte in range(256)]

Tree = dict[str, Any]  # character → tree; "" marks the end of a sequence


@lru_cache(maxsize=4)  # SentencePiece's own tables take a second to read, and most models have one of these four
def mapping(charsmap: bytes, *, name: str) -> tuple[Step, ...]:
    """Return the normalisers for a `precompiled_charsmap`, which the model calls `name`; none for an empty one.

    Raises TokenisingError for a table whose sequences aren't Unicode's compositions, which a custom table may have.
    """
    if not charsmap:
        return ()
    single, longer = _tables(charsmap)
    _must_be_composition(single, longer, max_wrong=_KNOWN.get(name, 0))
    later = {key for key, value in single.items() if _joins(value[:1])} | {c for key in longer for c in key[1:]}
    suffix = f"[{_SUFFIXES}{_ranges(later)}]"
    sequences = rf"{_pattern(_tree(longer))}\K|" if longer else ""
    table = base64.b64encode(charsmap).decode()
    return (
        replace(f"[{_CUT}{_INNER}]", _STAND_IN),
        replace(rf"(?=(?m:.){suffix})(?>{sequences}(?m:.)\K)", _CUT),
        replace(r"\Y", _INNER),
        {"type": "Precompiled", "precompiled_charsmap": table},
        literal(_INNER, ""),
        {"type": "NFC"},
        literal(_CUT, ""),
    )


def _tables(charsmap: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Replacements of single characters, and of longer sequences."""
    try:
        rules = {key.decode(): value.decode() for key, value in _rules(charsmap).items()}
    except (ValueError, IndexError, struct.error) as error:
        raise TokenisingError("its table of normalisation (precompiled_charsmap) is broken") from error
    return {k: v for k, v in rules.items() if len(k) == 1}, {k: v for k, v in rules.items() if len(k) > 1}


def _rules(charsmap: bytes) -> dict[bytes, bytes]:
    """A size, a trie as a double array (Darts-clone's units), and the values, each ended by a zero byte."""
    (size,) = struct.unpack_from("<I", charsmap)
    units = struct.unpack_from(f"<{size // 4}I", charsmap, 4)
    values = charsmap[4 + size :]
    rules: dict[bytes, bytes] = {}
    below: dict[int, list[tuple[bytes, int]]] = {}  # units are shared by many sequences
    stack = [(0, b"")]
    while stack:
        at, key = stack.pop()
        if len(key) > _LONGEST or len(rules) > _MAX_RULES:
            raise ValueError("a trie that has no end")
        base = at ^ _offset(units[at])
        if units[at] >> 8 & 1 and key:
            start = units[base] & 0x7FFFFFFF
            rules[key] = values[start : values.index(b"\0", start)]
        if at not in below:
            at_most = min(base | 0xFF, len(units) - 1)  # children stand in the block of 256 that their parent points to
            block = enumerate(units[base & ~0xFF : at_most + 1], base & ~0xFF)
            below[at] = [
                (_BYTES[child ^ base], child) for child, unit in block if unit & 0x800000FF == child ^ base != 0
            ]
        stack += [(child, key + byte) for byte, child in below[at]]
    return rules


def _offset(unit: int) -> int:
    return (unit >> 10) << ((unit & 0x200) >> 6)


def _must_be_composition(single: Mapping[str, str], longer: Mapping[str, str], *, max_wrong: int) -> None:
    def composed(key: str) -> str:
        return unicodedata.normalize("NFC", "".join(single.get(character, character) for character in key))

    wrong = [key for key, value in longer.items() if composed(key) != value]
    if len(wrong) > max_wrong:
        raise TokenisingError(
            f"its table of normalisation maps {printable(ascii(wrong[0]))} to {printable(ascii(longer[wrong[0]]))}; "
            "single characters may map to anything, but sequences only to their composition, as in nmt_nfkc"
        )


def _joins(character: str) -> bool:
    return bool(character) and (unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff")


def _tree(sequences: Iterable[str]) -> Tree:
    root: Tree = {}
    for sequence in sequences:
        node = root
        for character in sequence:
            node = node.setdefault(character, {})
        node[""] = {}
    return root


def _pattern(node: Tree) -> str:
    """A pattern that matches the longest sequence of the tree; characters with the same ways on share a class."""
    by_rest: dict[str, set[str]] = {}
    for character, below in node.items():
        if character:
            by_rest.setdefault(_pattern(below), set()).add(character)
    ways = sorted(f"[{_ranges(characters)}]{rest}" for rest, characters in by_rest.items())
    if not ways:
        return ""
    whole = "|".join(ways)
    return f"(?:{whole})?+" if "" in node else f"(?:{whole})"


def _ranges(characters: Iterable[str]) -> str:
    """The inside of a character class."""
    points, found = sorted(map(ord, characters)), ""
    if not points:
        return found
    start = last = points[0]
    for point in [*points[1:], -1]:
        if point != last + 1:
            found += f"\\x{{{start:X}}}" + (f"-\\x{{{last:X}}}" if last > start else "")
            start = point
        last = point
    return found
