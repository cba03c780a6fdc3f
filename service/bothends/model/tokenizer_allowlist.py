"""Refuses a tokenizer.json that holds anything but the parts that exported bundles have, each within bounds.

It guards against parts that make much out of little: text that grows at each step, and tokens added around each
sentence. The vocabulary is left to the library, whose time to read it is proportional to its size.
"""

import base64
import json
import re
import string
import struct
from collections.abc import Iterator
from typing import Any

import tokenizers
from tokenizers import models, normalizers

from ..errors import BundleError
from ..text import printable
from .pattern import PatternError
from .pattern_check import check_pattern

_MODELS = {"WordPiece", "WordLevel", "BPE", "Unigram"}
_PARTS = {
    "normalizer": {
        "Sequence", "BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Strip", "StripAccents",
        "Precompiled", "Prepend", "Replace", "ByteLevel",
    },
    "pre_tokenizer": {
        "Sequence", "BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Split", "Punctuation", "Digits",
        "Metaspace", "ByteLevel", "CharDelimiterSplit", "UnicodeScripts",
    },
    "post_processor": {"Sequence", "TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel"},
}  # fmt: skip
"""Types of each part of a tokenizer that importing, training and those who bring a tokenizer.json have in theirs."""
_INNER = ("normalizers", "pretokenizers", "processors")
"""Keys under which a Sequence has its steps."""
_MAX_STEPS = 128
"""Most steps of a part. What LASER reads passes 47."""
_MAX_CHARS = 16
"""Most characters that a step puts in place of others."""
_MAX_PATTERN_CHARS = 1 << 16
_SHOWN_CHARS = 80
"""Characters of a pattern that a refusal shows."""
_MAX_TABLE_BYTES = 64
"""Most bytes that a table of normalisation has for a character. Unicode's longest, U+FDFA, has 33."""
_MAX_AROUND = 64
"""Most tokens around a sentence."""
_MAX_WORD_CHARS = 1000
"""Most characters of a word that WordPiece looks at: its time grows with their square."""
_REPEATS = 16
_MAX_GROWTH = 16
"""Most characters that a text may become for each that it has; of what was seen, an ellipsis in LASER's has 3."""


def check_parts(tokenizer: tokenizers.Tokenizer) -> None:
    """Raise BundleError unless `tokenizer` has only allowed parts, within bounds; its text is meant to follow a file's
    name.
    """
    for reason in _reasons(tokenizer):
        raise BundleError(f"{reason}; a bundle's tokenizer holds only what `bothends export` lets in")


def _reasons(tokenizer: tokenizers.Tokenizer) -> Iterator[str]:
    model = tokenizer.model
    if type(model).__name__ not in _MODELS:
        yield f"is of the model {type(model).__name__}"
    if isinstance(model, models.WordPiece) and model.max_input_chars_per_word > _MAX_WORD_CHARS:
        yield f"looks at words of up to {model.max_input_chars_per_word} characters, more than {_MAX_WORD_CHARS}"
    if isinstance(model, models.BPE) and model.dropout:
        yield "drops merges by chance"
    parts = parts_of(tokenizer)
    for name, types in _PARTS.items():
        steps = list(steps_of(parts[name]))
        if len(steps) > _MAX_STEPS:
            yield f"has {len(steps)} steps in its {name}, more than {_MAX_STEPS}"
        for step in steps:
            if step["type"] not in types:
                yield f"has a {name} of the type {step['type']}"
            yield from _against(step)
    yield from _growth(list(steps_of(parts["normalizer"])))


def parts_of(tokenizer: tokenizers.Tokenizer) -> dict[str, Any]:
    """Return the parts of a tokenizer.json as it is written, without the vocabulary, which may be large."""
    bare = tokenizers.Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))  # noqa: S106  a token of text
    for name in _PARTS:
        if (part := getattr(tokenizer, name)) is not None:
            setattr(bare, name, part)
    parts: dict[str, Any] = json.loads(bare.to_str())
    return parts


def steps_of(part: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield the steps of a part that aren't sequences; a part that is one step yields itself."""
    if part is None:
        return
    inner = next((part[key] for key in _INNER if key in part), None)
    if part["type"] != "Sequence" or inner is None:
        yield part
        return
    for step in inner:
        yield from steps_of(step)


def _against(step: dict[str, Any]) -> Iterator[str]:
    """Reasons against a step of a type that is allowed."""
    for key in ("content", "prepend"):
        if len(step.get(key) or "") > _MAX_CHARS:
            yield f"has a {step['type']} that writes {len(step[key])} characters, more than {_MAX_CHARS}"
    if len(_pattern(step)) > _MAX_PATTERN_CHARS:
        yield f"has a {step['type']} whose pattern has more than {_MAX_PATTERN_CHARS} characters"
    elif "Regex" in (step.get("pattern") or {}):
        try:
            check_pattern(_pattern(step))
        except PatternError as error:
            yield f"has a {step['type']} whose pattern {printable(_pattern(step)[:_SHOWN_CHARS])!r} {error}"
    if step["type"] == "Precompiled" and (longest := _longest_of_table(step)) > _MAX_TABLE_BYTES:
        yield f"has a table of normalisation that writes {longest} bytes for a character, more than {_MAX_TABLE_BYTES}"
    if step["type"] == "TemplateProcessing":
        around = sum(len(token["ids"]) for token in step["special_tokens"].values()) + len(step["single"])
        if around > _MAX_AROUND:
            yield f"sets {around} tokens around a sentence, more than {_MAX_AROUND}"


def _pattern(step: dict[str, Any]) -> str:
    return str(next(iter((step.get("pattern") or {"": ""}).values())))


def _longest_of_table(step: dict[str, Any]) -> int:
    """Return the size in bytes of the longest text in a SentencePiece table, which are stored after a trie and end in
    zeros.

    A malformed table is left to the library to refuse.
    """
    table = base64.b64decode(step["precompiled_charsmap"])
    (trie,) = struct.unpack_from("<I", table) if len(table) >= 4 else (0,)
    return max(map(len, table[4 + trie :].split(b"\0")))


def _growth(steps: list[dict[str, Any]]) -> Iterator[str]:
    """Reasons against normalisers that make long text of short: none is run on more than it was seen to be good for."""
    kinds = [_alone(step) for step in steps]
    for seed in dict.fromkeys(_seeds(steps)):
        text = seed * _REPEATS
        most = _MAX_GROWTH * len(text)
        for kind in kinds:
            text = kind.normalize_str(text)
            if len(text) > most:
                yield f"makes {len(text)} characters and more of {len(seed) * _REPEATS}"
                return


def _alone(step: dict[str, Any]) -> normalizers.Normalizer:
    """Make the normaliser that is this one step."""
    definition = {"version": "1.0", "added_tokens": [], "normalizer": step,
                  "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}  # fmt: skip
    made: normalizers.Normalizer = tokenizers.Tokenizer.from_str(json.dumps(definition)).normalizer
    return made


def _seeds(steps: list[dict[str, Any]]) -> Iterator[str]:
    """Texts that steps may find something in: what a reader sees in their patterns, what they write, and ASCII."""
    for step in steps:
        if step["type"] == "Replace":
            yield from filter(None, (_pattern(step)[:_REPEATS], step["content"]))
            yield from re.findall(r"\w+", _pattern(step))[:_REPEATS]
            yield from dict.fromkeys(_pattern(step)[:_MAX_CHARS])
    if steps:
        yield string.printable
        yield from string.printable
