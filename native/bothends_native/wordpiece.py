"""The tokenizer: it turns text into ids of a WordPiece vocabulary.

`bothends` says what becomes of each character, when it is first met.
"""

from ._wordpiece import WordPiece

__all__ = ["WordPiece"]
