"""Makes a native tokenizer that gives the same ids as the Hugging Face library, where that is possible.

Everything that it knows about Unicode it asks of the library, so that both agree in any version.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import tokenizers
from tokenizers import models

from ..native_version import misfit
from ..text import is_blank
from .characters import Characters
from .tokenizer_allowlist import parts_of, steps_of

if TYPE_CHECKING:
    from bothends_native.wordpiece import WordPiece

Step = dict[str, Any]
"""One normaliser, pre-tokeniser or post-processor, as it is written in a tokenizer.json."""

_MAX_ADDED_BYTES = 256
"""Most bytes of an added token: one is looked for at each place of a text."""
_FINAL_SIGMA: Step = {
    "type": "Replace",
    "pattern": {"Regex": r"(?!\p{Case_Ignorable})\p{Cased}\p{Case_Ignorable}*+\KΣ(?!\p{Case_Ignorable}*+\p{Cased})"},
    "content": "ς",
}
"""What an import has before `Lowercase`, since Python's `str.lower` knows the form of a sigma that ends a word."""
_SIGMA = "Σ"
_SPACE, _WORD = r"[\s\x1C-\x1F]", r"[\p{L}\p{N}_]"
_SPLITS: list[Step] = [
    {"type": "BertPreTokenizer"},
    {"type": "WhitespaceSplit"},
    {"type": "Split", "pattern": {"Regex": f"{_SPACE}+"}, "behavior": "Removed", "invert": False},
    {
        "type": "Split",
        "pattern": {"Regex": rf"{_WORD}++|(?!{_WORD}|{_SPACE})(?m:.)"},
        "behavior": "Removed",
        "invert": True,
    },
]
"""Ways to cut a text that look at one character: spaces end words, or each mark too. The last two are an import's."""
_MARK = " "
_MARKED: Step = {"type": "Metaspace", "replacement": _MARK, "prepend_scheme": "always", "split": False}
"""The mark that an import sets before words of a vocabulary without a token for unknown ones."""


def native_wordpiece(library: tokenizers.Tokenizer) -> "WordPiece | None":
    """Return a native tokenizer that gives `library`'s ids for each text that it doesn't decline.

    None if bothends-native isn't installed in this version, or if there is an `obstacle`.
    """
    if misfit() is not None:
        return None
    try:
        from bothends_native.wordpiece import WordPiece  # not in every environment
    except ImportError:
        return None
    parts, vocabulary = parts_of(library), library.get_vocab(with_added_tokens=False)
    if any(_obstacles(library, parts, vocabulary)):
        return None
    model, added = library.model, library.get_added_tokens_decoder()
    is_bpe = isinstance(model, models.BPE)
    before, after = _around(parts["post_processor"]) or ([], [])
    has_pieces = isinstance(model, models.WordPiece)
    return WordPiece(
        {word[1:]: index for word, index in vocabulary.items()} if is_bpe else vocabulary,
        ask=_characters(library, parts, are_touched=any(token.single_word for token in added.values())).block,
        added=[(token.content, index, token.single_word) for index, token in added.items()],
        before=before,
        after=after,
        prefix=model.continuing_subword_prefix if has_pieces else None,
        unknown=None if is_bpe else model.unk_token,
        max_chars=model.max_input_chars_per_word if has_pieces else sys.maxsize,
    )


def obstacle(library: tokenizers.Tokenizer) -> str | None:
    """Name what native code doesn't know of a tokenizer, for a person; None where it knows all."""
    return next(_obstacles(library, parts_of(library), library.get_vocab(with_added_tokens=False)), None)


def _obstacles(library: tokenizers.Tokenizer, parts: dict[str, Any], vocabulary: dict[str, int]) -> Iterator[str]:
    cuts, is_marked = list(steps_of(parts["pre_tokenizer"])), False
    if isinstance(library.model, models.BPE):
        is_marked = cuts[1:] == [_MARKED]
        cuts = cuts[:1] if is_marked else cuts
    yield from _of_model(library.model, vocabulary, is_marked)
    if not _is_known(list(steps_of(parts["normalizer"]))):
        yield f"its normalizer ({_types(parts['normalizer'])})"
    if len(cuts) != 1 or cuts[0] not in _SPLITS:
        yield f"its pre_tokenizer ({_types(parts['pre_tokenizer'])})"
    if _around(parts["post_processor"]) is None:
        yield f"its post_processor ({_types(parts['post_processor'])})"
    if not all(map(_is_simple, library.get_added_tokens_decoder().values())):
        yield "an added token that is normalized, blank or long"


def _of_model(model: models.Model, vocabulary: dict[str, int], is_marked: bool) -> Iterator[str]:
    if isinstance(model, models.BPE):
        options = (model.unk_token, model.continuing_subword_prefix, model.end_of_word_suffix, model.dropout)
        is_whole = model.ignore_merges and not model.byte_fallback and not any(options)
        if not (is_marked and is_whole and all(len(word) > 1 and word[0] == _MARK for word in vocabulary)):
            yield "its model (BPE)"
    elif not isinstance(model, models.WordPiece | models.WordLevel):
        yield f"its model ({type(model).__name__})"
    elif model.unk_token not in vocabulary:
        yield "a vocabulary without its token for unknown words"
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        # Where added tokens share an id, the library doesn't tell of all of them.
        yield "a vocabulary whose ids have gaps, or are of two words"


def _is_known(steps: list[Step]) -> bool:
    """Return whether normalisers are BERT's, or see one character at a time, but for a sigma that ends a word."""
    if [step["type"] for step in steps] == ["BertNormalizer"]:
        return True
    return all(step in (_FINAL_SIGMA, {"type": "Lowercase"}) for step in steps)


def _characters(library: tokenizers.Tokenizer, parts: dict[str, Any], *, are_touched: bool) -> Characters:
    steps = list(steps_of(parts["normalizer"]))
    bert = steps[0] if steps and steps[0]["type"] == "BertNormalizer" else None
    return Characters(
        library.normalizer,
        library.pre_tokenizer,
        bert=bert,
        unsure=_SIGMA if _FINAL_SIGMA in steps else "",
        are_touched=are_touched,
    )


def _around(step: Step | None) -> tuple[list[int], list[int]] | None:
    """Return the ids that a post-processor sets before and after a text; None if it does anything else."""
    if step is None:
        return [], []
    if step["type"] == "BertProcessing":
        return [step["cls"][1]], [step["sep"][1]]
    if step["type"] != "TemplateProcessing":
        return None
    ends: tuple[list[int], list[int]] = [], []
    texts = 0
    for piece in step["single"]:
        texts += "Sequence" in piece
        if "SpecialToken" in piece:
            ends[texts > 0].extend(step["special_tokens"][piece["SpecialToken"]["id"]]["ids"])
    return ends if texts == 1 else None


def _is_simple(added: tokenizers.AddedToken) -> bool:
    """Return whether a token is looked for in the text as it came, and is found wherever it stands: spaces alone may be
    another's, which strips them.
    """
    is_short = len(added.content.encode()) <= _MAX_ADDED_BYTES
    return not added.normalized and not is_blank(added.content) and is_short


def _types(part: Step | None) -> str:
    return ", ".join(dict.fromkeys(step["type"] for step in steps_of(part))) or "none"
