"""Tokenizers that are let in: what imports and training write; and those that aren't, by what they would cost."""

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bothends.errors import BundleError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends_importing.tokenising import laser, nltk_words

Part = dict[str, Any]


def replacing(pattern: str, content: str, kind: str = "String") -> Part:
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def load(english: Bundle, change: Callable[[Part], object]) -> Tokenizer:
    made = json.loads(english.tokenizer)
    change(made)
    return Tokenizer(json.dumps(made), max_tokens=10, source=Path("there/tokenizer.json"))


def sequence(*steps: Part) -> Part:
    return {"type": "Sequence", "normalizers": list(steps)}


@pytest.mark.parametrize("steps", [laser.preprocessing(), nltk_words.steps(), nltk_words.moses_steps()])
def test_what_imports_write_is_let_in(english: Bundle, steps: list[Part]) -> None:
    load(english, lambda made: made.update(normalizer=sequence(*steps)))


def table(longest: int) -> str:
    return base64.b64encode(struct.pack("<I", 0) + b"x" * longest + bytes(1)).decode()


TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {"a": {"id": "a", "ids": [1] * 100_000, "tokens": ["a"] * 100_000}},
}
SPLIT = {"type": "Split", "pattern": {"Regex": "(q+q+)+z"}, "behavior": "Isolated", "invert": False}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"normalizer": sequence(*[replacing("e", "e" * 11)] * 8)}, "makes .* characters and more of 16"),
        ({"normalizer": sequence(*[replacing("q[z]", "qzqz", "Regex")] * 8)}, "makes .* characters"),
        ({"normalizer": sequence(*[replacing("zq", "zqzq")] * 8)}, "makes .* characters and more of"),
        ({"normalizer": replacing("", "abcdefghijklmnop", "Regex")}, "makes .* characters"),
        ({"normalizer": replacing("a", "b" * 17)}, "a Replace that writes 17 characters"),
        ({"normalizer": {"type": "Prepend", "prepend": "b" * 17}}, "a Prepend that writes 17 characters"),
        ({"normalizer": sequence(*[{"type": "NFC"}] * 129)}, "129 steps in its normalizer"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": table(65)}}, "65 bytes for a character"),
        (
            {"normalizer": replacing("(q+q+)+z", "q", "Regex")},
            r"a Replace whose pattern '\(q\+q\+\)\+z' repeats without",
        ),
        ({"pre_tokenizer": SPLIT}, r"a Split whose pattern '\(q\+q\+\)\+z' repeats without end a group"),
        ({"post_processor": TEMPLATE}, "sets 100002 tokens around a sentence"),
        ({"pre_tokenizer": {"type": "FixedLength", "length": 1}}, "a pre_tokenizer of the type FixedLength"),
    ],
)
def test_what_makes_much_of_little_is_refused(english: Bundle, change: Part, told: str) -> None:
    """The refusal names the file. A pattern that hides what it finds isn't seen through: the proof's limits hold it."""
    with pytest.raises(BundleError, match=rf"^there/tokenizer.json .*{told}"):
        load(english, lambda made: made.update(change))


def test_a_words_length_is_bounded(english: Bundle) -> None:
    with pytest.raises(BundleError, match="words of up to 1000000 characters"):
        load(english, lambda made: made["model"].update(max_input_chars_per_word=1_000_000))
