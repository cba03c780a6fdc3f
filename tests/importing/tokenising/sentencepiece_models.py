"""Small SentencePiece models, trained here by the library on texts that stay as they are, and on hard text."""

import math
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from bothends_importing.tokenising.sentencepiece import tokenise_sentencepiece
from tests.support.paths import ROOT

from .hard_texts import HARD, Ours

_TEXTS = (ROOT / "LICENSE", ROOT / "examples" / "data" / "notes.txt")


def train(folder: Path, *, without: str = "\0", **options: Any) -> Path:
    """The .model file of a model with these options of SentencePieceTrainer, from text `without` a character."""
    lines = [line for file in _TEXTS for line in file.read_text(encoding="utf-8").splitlines()]
    usual = {"vocab_size": 900, "character_coverage": 0.999, "hard_vocab_limit": False, "num_threads": 1}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line.replace(without, "") for line in [*filter(None, lines), *HARD[20:] * 5]]),
        model_prefix=str(folder / "small"),
        minloglevel=2,
        **{**usual, **({"hard_vocab_limit": True} if options.get("model_type") == "bpe" else {}), **options},
    )
    return folder / "small.model"


ODD = {"unk_id": 3, "bos_id": 0, "eos_id": 2, "pad_id": 1, "unk_piece": "?", "bos_piece": "<b>", "eos_piece": "e"}


PLAIN = {"normalization_rule_name": "identity"}


MODELS: dict[str, dict[str, Any]] = {
    "unigram": {},
    "unigram, bytes, case folded": {"byte_fallback": True, "normalization_rule_name": "nmt_nfkc_cf"},
    "unigram, odd symbols": {**ODD, "add_dummy_prefix": False, "normalization_rule_name": "nfkc"},
    "unigram, user's symbols": {**PLAIN, "user_defined_symbols": ["<ent>", "##"], "control_symbols": ["[CLS]", "@"]},
    "unigram, bytes, user's symbols": {**PLAIN, "byte_fallback": True, "user_defined_symbols": ["<ent>"]},
    "unigram, spaces kept and inside": {**PLAIN, "remove_extra_whitespaces": False, "split_by_whitespace": False},
    "bpe": {"model_type": "bpe"},
    "bpe, bytes": {**PLAIN, "model_type": "bpe", "byte_fallback": True},
    "bpe, odd symbols": {**PLAIN, **ODD, "model_type": "bpe"},
    "bpe, spaces kept and inside": {
        "model_type": "bpe",
        "remove_extra_whitespaces": False,
        "split_by_whitespace": False,
    },
    "char": {**PLAIN, "model_type": "char"},
}


class Case:
    """A model in the library, and the tokenizer.json that it became."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        self.original = sentencepiece.SentencePieceProcessor(model_file=str(path))
        self.tokenising = tokenise_sentencepiece(path, rows=len(self.original), bos=True, eos=True)
        self.ours = Ours(self.tokenising)
        self._ties = options.get("model_type", "unigram") == "unigram"
        self._folded = options.get("normalization_rule_name") == "nmt_nfkc_cf"

    def differs(self, text: str) -> tuple[list[int], list[int]] | None:
        """Return our ids and the library's, unless they are the same or differ as TIES and IOTA say."""
        ours, theirs = self.ours.rows(text), self.original.encode(text, add_bos=True, add_eos=True)
        score, other = (sum(map(self.original.get_score, ids)) for ids in (ours, theirs))
        same = ours == theirs or (self._ties and math.isclose(score, other, rel_tol=1e-5))
        return None if same or (self._folded and "\u0345" in text) else (ours, theirs)


MADE: dict[str, Case] = {}


def case_of(name: str, folders: pytest.TempPathFactory) -> Case:
    if name not in MADE:
        MADE[name] = Case(train(folders.mktemp("spm"), **MODELS[name]), MODELS[name])
    return MADE[name]
