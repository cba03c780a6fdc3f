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
from bothends.model.wordpiece import native_wordpiece, obstacle
from bothends.options import Truncation
from bothends_importing.tokenising.word_rules import WordRules
from bothends_importing.tokenising.words import tokenise_words

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


@pytest.mark.parametrize("kept", ["start", "end"])
@pytest.mark.parametrize("count", [1, len(TEXTS)])
def test_tokens_are_the_library_s_in_their_order(
    english: Bundle, monkeypatch: pytest.MonkeyPatch, kept: Truncation, count: int
) -> None:
    """Texts that are declined stand among others, cut or not."""
    native = Tokenizer(english.tokenizer, max_tokens=10, source=english.path)
    monkeypatch.setitem(sys.modules, "bothends_native.wordpiece", None)
    library = Tokenizer(english.tokenizer, max_tokens=10, source=english.path)
    for start in range(0, len(TEXTS), count):
        some = TEXTS[start : start + count]
        assert native.encode(some, truncation=kept) == library.encode(some, truncation=kept)


def test_where_it_is_not_built_there_is_none(toy_tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_twin(toy_tokenizer)
    monkeypatch.setitem(sys.modules, "bothends_native.wordpiece", None)
    assert not has_twin(toy_tokenizer)


def around(made: dict[str, Any], ids: list[str]) -> None:
    """Set tokens around a text, which stands where "A" is."""
    made["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"Sequence": {"id": text, "type_id": 0}} if text == "A" else {"SpecialToken": {"id": text, "type_id": 0}}
            for text in ids
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"[UNK]": {"id": "[UNK]", "ids": [1], "tokens": ["[UNK]"]}},
    }


def added(made: dict[str, Any], content: str, **options: bool) -> None:
    token = {"id": 1, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    made["added_tokens"] = [token | {"special": False} | options]


@pytest.mark.parametrize(
    "other",
    [
        lambda made: made.update(normalizer=None),
        lambda made: made.update(normalizer={"type": "Lowercase"}),
        lambda made: made.update(normalizer={"type": "Sequence", "normalizers": [made["normalizer"]]}),
        lambda made: made.update(pre_tokenizer={"type": "WhitespaceSplit"}),
        lambda made: made.update(model={"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1}, "unk_token": "[UNK]"}),
        lambda made: made.update(post_processor={"type": "BertProcessing", "sep": ["[UNK]", 1], "cls": ["[PAD]", 0]}),
        lambda made: around(made, ["[UNK]", "[UNK]", "A"]),
        lambda made: around(made, ["A", "[UNK]"]),
    ],
)
def test_near_kinds_have_the_librarys_ids(toy_tokenizer: str, other: Callable[[dict[str, Any]], None]) -> None:
    made = json.loads(toy_tokenizer)
    other(made)
    library = tokenizers.Tokenizer.from_str(json.dumps(made))
    twin = native_wordpiece(library)
    assert twin is not None
    texts = [*TEXTS, "There will be dragons, [UNK]\u00a0and É!"]
    nothing = library.encode("").ids
    for text, found in zip(texts, twin.encode(texts, sys.maxsize), strict=True):
        expected = library.encode(text).ids
        assert found == (None if nothing and expected == nothing else (expected, False)), text


def test_a_text_of_nothing_but_what_is_set_around_it_is_left_to_the_library(toy_tokenizer: str) -> None:
    """Native code would take it for one with tokens."""
    made = json.loads(toy_tokenizer)
    around(made, ["[UNK]", "A"])
    twin = native_wordpiece(tokenizers.Tokenizer.from_str(json.dumps(made)))
    assert twin is not None
    *none, some = twin.encode(["", " \u200b", "a"], 9)
    assert none == [None, None]
    assert some is not None


@pytest.mark.parametrize(
    ("other", "lacks"),
    [
        (lambda made: made.update(normalizer={"type": "NFC"}), "its normalizer (NFC)"),
        (
            lambda made: made["normalizer"].update(
                type="Sequence", normalizers=[{"type": "NFD"}, {"type": "Lowercase"}]
            ),
            "its normalizer (NFD, Lowercase)",
        ),
        (lambda made: made.update(pre_tokenizer={"type": "Whitespace"}), "its pre_tokenizer (Whitespace)"),
        (lambda made: made.update(pre_tokenizer=None), "its pre_tokenizer (none)"),
        (lambda made: made["model"].update(unk_token="none"), "a vocabulary without its token for unknown words"),  # noqa: S106
        (lambda made: made["model"]["vocab"].update(twice=5), "a vocabulary whose ids have gaps, or are of two words"),
        (
            lambda made: made.update(model={"type": "BPE", "vocab": {"a": 0, "[UNK]": 1}, "merges": []}),
            "its model (BPE)",
        ),
        (
            lambda made: made.update(model={"type": "Unigram", "vocab": [["a", 0.0], ["[UNK]", 0.0]], "unk_id": 1}),
            "its model (Unigram)",
        ),
        (lambda made: around(made, ["A", "[UNK]", "A"]), "its post_processor (TemplateProcessing)"),
        (
            lambda made: made.update(
                post_processor={"type": "RobertaProcessing", "sep": ["[UNK]", 1], "cls": ["[PAD]", 0]}
                | {"trim_offsets": True, "add_prefix_space": True}
            ),
            "its post_processor (RobertaProcessing)",
        ),
        (lambda made: added(made, "[UNK]", normalized=True), "an added token that is normalized, blank or long"),
        (lambda made: added(made, " "), "an added token that is normalized, blank or long"),
        (lambda made: added(made, "a" * 300), "an added token that is normalized, blank or long"),
    ],
)
def test_other_kinds_have_none(toy_tokenizer: str, other: Callable[[dict[str, Any]], None], lacks: str) -> None:
    made = json.loads(toy_tokenizer)
    other(made)
    assert not has_twin(json.dumps(made))
    assert obstacle(tokenizers.Tokenizer.from_str(json.dumps(made))) == lacks


def test_the_sigma_of_an_import_is_known() -> None:
    """Its rule is written down in the service too, which reads bundles without what imports them."""
    words = {"σοφος": 0, "σοφός": 1, "ς": 2, "a": 3, "?": 4}
    rules = WordRules(split="whitespace", lowercase=True, unknown="?")
    library = tokenizers.Tokenizer.from_str(tokenise_words(words, rules, rows=5).definition)
    twin = native_wordpiece(library)
    assert twin is not None
    assert twin.encode(["ΣΟΦΟΣ a", "A σοφός ς"], 9) == [None, ([3, 1, 2], False)]


def test_a_text_too_large_for_one_piece_is_read_all_the_same(english: Bundle) -> None:
    """Past what is taken while the GIL is held, the library reads it."""
    tokenizer = Tokenizer(english.tokenizer, max_tokens=10, source=Path("tokenizer.json"))
    (tokens,) = tokenizer.encode(["word " * 20_000], truncation="end")
    assert (len(tokens.ids), tokens.truncated) == (10, True)
