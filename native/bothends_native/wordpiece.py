"""Text to ids of a WordPiece vocabulary, natively.

Knows no Unicode and no files: `bothends` says what becomes of each character, and has another tokenizer for texts that
hold others.
"""

from ._wordpiece import WordPiece

__all__ = ["WordPiece"]
