"""Which tokenizers have a native twin, and that no result tells whether one was there."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.model.wordpiece import native_wordpiece

pytest.importorskip(
    "bothends_native.wordpiece", reason="bothends-native isn't built (make native)", exc_type=ImportError
)

TEXTS = [
    "plain words, and more",
    "日本",
    "unaffable [CLS] Ω",
    "naïve café — “quoted”",
    "\u200b",
    "word " * 20,
    "👩🏽 " * 20,
]


def has_twin(definition: str) -> bool:
    return native_wordpiece(tokenizers.Tokenizer.from_str(definition)) is not None


@pytest.mark.parametrize("keep_end", [False, True])
@pytest.mark.parametrize("count", [1, len(TEXTS)])
def test_tokens_are_the_library_s_in_their_order(
    english: Bundle, monkeypatch: pytest.MonkeyPatch, keep_end: bool, count: int
) -> None:
    """Texts that are declined stand among others, cut or not."""
    native = Tokenizer(english.tokenizer, max_tokens=10, source=english.path)
    monkeypatch.setitem(sys.modules, "bothends_native.wordpiece", None)
    library = Tokenizer(english.tokenizer, max_tokens=10, source=english.path)
    for start in range(0, len(TEXTS), count):
        some = TEXTS[start : start + count]
        assert native.encode(some, keep_end=keep_end) == library.encode(some, keep_end=keep_end)


def test_where_it_is_not_built_there_is_none(toy_tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_twin(toy_tokenizer)
    monkeypatch.setitem(sys.modules, "bothends_native.wordpiece", None)
    assert not has_twin(toy_tokenizer)


def marked(made: dict[str, Any]) -> None:
    made["post_processor"] = {"type": "BertProcessing", "sep": ["[UNK]", 1], "cls": ["[PAD]", 0]}


def folded(made: dict[str, Any]) -> None:
    made["added_tokens"] = [
        {"id": 1, "content": "[UNK]", "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": True, "special": False}
    ]


@pytest.mark.parametrize(
    "other",
    [
        lambda made: made.update(normalizer=None),
        lambda made: made.update(normalizer={"type": "Lowercase"}),
        lambda made: made.update(normalizer={"type": "Sequence", "normalizers": [made["normalizer"]]}),
        lambda made: made.update(pre_tokenizer={"type": "Whitespace"}),
        lambda made: made.update(pre_tokenizer=None),
        lambda made: made.update(model={"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}),
        lambda made: made["model"].update(unk_token="none"),  # noqa: S106  a token of text
        lambda made: made["model"]["vocab"].update(twice=5),
        marked,
        folded,
    ],
)
def test_other_kinds_have_none(toy_tokenizer: str, other: Callable[[dict[str, Any]], None]) -> None:
    made = json.loads(toy_tokenizer)
    other(made)
    assert not has_twin(json.dumps(made))


def test_a_text_too_large_for_one_piece_is_read_all_the_same(english: Bundle) -> None:
    """Past what is taken while the GIL is held, the library reads it."""
    tokenizer = Tokenizer(english.tokenizer, max_tokens=10, source=Path("tokenizer.json"))
    (tokens,) = tokenizer.encode(["word " * 20_000], keep_end=True)
    assert (len(tokens.ids), tokens.truncated) == (10, True)
