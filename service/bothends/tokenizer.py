"""Text to token ids, by the bundle's tokenizer.json. Training uses this module too, so both see the same tokens.

Knows nothing of models. Unicode normalisation and unknown words are the tokenizer file's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from .errors import BundleError


@dataclass(frozen=True, slots=True)
class Tokens:
    """One sentence's token ids, cut to the model's limit."""

    ids: list[int]
    truncated: bool


class Tokenizer:
    """A Hugging Face tokenizer that cuts to `max_tokens` and says so, and never pads."""

    def __init__(self, definition: str, *, max_tokens: int, source: Path) -> None:
        """Build it from the text of a tokenizer.json. Raises BundleError, naming `source`, if it is none."""
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(definition)
        except Exception as error:  # the library raises plain Exception for every fault of the text
            raise BundleError(f"{source} is no tokenizer that can be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._max_tokens = max_tokens

    @property
    def vocabulary_size(self) -> int:
        """One more than the largest token id."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    def vocabulary(self) -> list[str]:
        """Every token's text by id, without the marks of a continued word; empty where an id is unused."""
        texts = [self._tokenizer.id_to_token(index) or "" for index in range(self.vocabulary_size)]
        return [text.removeprefix("##") for text in texts]

    def encode(self, sentences: Sequence[str]) -> list[Tokens]:
        """Token ids of each sentence, in order. Empty where nothing in it is a token. Runs outside the GIL."""
        limit = self._max_tokens
        return [
            Tokens(encoding.ids[:limit], len(encoding) > limit)
            for encoding in self._tokenizer.encode_batch_fast(list(sentences))
        ]
