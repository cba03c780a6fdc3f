"""A tokenizer.json is held to the Python, or the NLTK, that its rules are named by, before it is handed out."""

import pytest

from bothends_importing.tokenising import words as module
from bothends_importing.tokenising.definition import SPACE, TokenisingError, split_out
from bothends_importing.tokenising.word_rules import Split, WordRules
from bothends_importing.tokenising.words import tokenise_words

WORDS = {"<unk>": 0, "the": 1, "don't": 2, "do": 3, "n't": 4, ",": 5, "it": 6, "'s": 7, "they": 8}


@pytest.mark.parametrize("unknown", [None, "<unk>"])
@pytest.mark.parametrize("split", ["words", "words_and_marks", "nltk", "nltk_moses"])
def test_words_that_the_original_would_not_cut_so_are_refused(
    monkeypatch: pytest.MonkeyPatch, split: Split, unknown: str | None
) -> None:
    """The proof starts from text: a tokenizer that cuts at white space gives other rows than these."""
    monkeypatch.setitem(module._SPLITS, split, ([], split_out(f"{SPACE}+")))
    with pytest.raises(TokenisingError, match=f"the tokenizer that split = '{split}' became gives other rows for"):
        tokenise_words(WORDS, WordRules(split, True, unknown), rows=len(WORDS))
