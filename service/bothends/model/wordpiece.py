"""Makes a native tokenizer that gives the same ids as the Hugging Face library, where that is possible.

Everything that it knows about Unicode it asks of the library, so that both agree in any version.
"""

from typing import TYPE_CHECKING

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from ..native_version import misfit
from ..text import is_blank
from .characters import Characters

if TYPE_CHECKING:
    from bothends_native.wordpiece import WordPiece

_MAX_ADDED_BYTES = 256
"""Most bytes of an added token: one is looked for at each place of a text."""


def native_wordpiece(library: tokenizers.Tokenizer) -> "WordPiece | None":
    """Return a native tokenizer that gives `library`'s ids for each text that it doesn't decline.

    None if bothends-native isn't installed in this version, or if `library` isn't a tokenizer like BERT's.
    """
    if misfit() is not None:
        return None
    try:
        from bothends_native.wordpiece import WordPiece  # not in every environment
    except ImportError:
        return None
    model = library.model
    added = library.get_added_tokens_decoder()
    if not (
        isinstance(library.normalizer, normalizers.BertNormalizer)
        and isinstance(library.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and isinstance(model, models.WordPiece)
        and library.post_processor is None
        and all(map(_is_simple, added.values()))
    ):
        return None
    vocabulary = library.get_vocab(with_added_tokens=False)
    if model.unk_token not in vocabulary or sorted(vocabulary.values()) != list(range(len(vocabulary))):
        return None  # where added tokens share an id, the library doesn't tell of all of them
    are_touched = any(token.single_word for token in added.values())
    characters = Characters(library.normalizer, library.pre_tokenizer, are_touched=are_touched)
    return WordPiece(
        vocabulary,
        ask=characters.block,
        added=[(token.content, index, token.single_word) for index, token in added.items()],
        prefix=model.continuing_subword_prefix,
        unknown=model.unk_token,
        max_chars=model.max_input_chars_per_word,
    )


def _is_simple(added: tokenizers.AddedToken) -> bool:
    """Return whether a token is looked for in the text as it came, and is found wherever it stands: spaces alone may be
    another's, which strips them.
    """
    is_short = len(added.content.encode()) <= _MAX_ADDED_BYTES
    return not added.normalized and not is_blank(added.content) and is_short
