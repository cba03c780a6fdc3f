"""Makes a native tokenizer that gives the same ids as the Hugging Face library, where that is possible.

Everything that it knows about Unicode is taken from the library when it is made, so that both agree in any version.
"""

import unicodedata
from typing import TYPE_CHECKING

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from ..native_version import misfit
from ..text import is_blank

if TYPE_CHECKING:
    from bothends_native.wordpiece import WordPiece

_CHARACTERS = (*range(0x0530), *range(0x1E00, 0x2100))
"""Code points of Latin, Greek and Cyrillic, accents, punctuation and currencies: all of 99.9 % of English sentences."""


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
    added = library.get_added_tokens_decoder().values()
    if not (
        isinstance(library.normalizer, normalizers.BertNormalizer)
        and isinstance(library.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and isinstance(model, models.WordPiece)
        and library.post_processor is None
        and not any(token.normalized for token in added)  # they are looked for in the text as it came
    ):
        return None
    vocabulary = library.get_vocab(with_added_tokens=False)
    if model.unk_token not in vocabulary or sorted(vocabulary.values()) != list(range(len(vocabulary))):
        return None  # where added tokens share an id, the library doesn't tell of all of them
    return WordPiece(
        vocabulary,
        characters=_characters(library),
        added=[token.content for token in added],
        prefix=model.continuing_subword_prefix,
        unknown=model.unk_token,
        max_chars=model.max_input_chars_per_word,
    )


def _characters(library: tokenizers.Tokenizer) -> dict[str, str]:
    """Return what becomes of each character that is normalised alone, regardless of its neighbours.

    BERT's normaliser and pre-tokeniser process one character at a time, except for Unicode's canonical order, which may
    swap combining marks. Marks that aren't dropped are left out, and so are characters that this Python's Unicode
    lacks, which may be such marks; and spaces that become more than the end of a word. A text of spaces alone is blank,
    and without spaces, native code only has to know whether a text has a token.
    """
    known = (chr(code) for code in _CHARACTERS if unicodedata.category(chr(code)) != "Cn")
    written = {character: _written(library, character) for character in known}
    return {
        character: text
        for character, text in written.items()
        if not any(map(unicodedata.combining, text)) and not (is_blank(character) and text.strip(" "))
    }


def _written(library: tokenizers.Tokenizer, character: str) -> str:
    """Return what becomes of `character` between two letters, with a space wherever a word ends."""
    normal = library.normalizer.normalize_str(f"a{character}a")
    return " ".join(word for word, _ in library.pre_tokenizer.pre_tokenize_str(normal))[1:-1]
