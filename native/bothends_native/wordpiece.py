"""The tokenizer: it turns text into ids of a WordPiece vocabulary.

`bothends` says what becomes of each character, and has another tokenizer for texts that hold others.
"""

from ._wordpiece import WordPiece

__all__ = ["WordPiece"]
