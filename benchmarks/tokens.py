"""Loads a bundle's tokenizer, and tokenises sentences for an engine."""

from collections.abc import Sequence

from bothends.engines.contract import TokenIds
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer


def tokenizer_of(bundle: Bundle) -> Tokenizer:
    """The bundle's own tokenizer, with its limit of tokens, as the service has it."""
    return Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)


def token_ids(bundle: Bundle, texts: Sequence[str]) -> list[TokenIds]:
    """Token ids of each sentence that has any, in the order of `texts`."""
    return [tokens.ids for tokens in tokenizer_of(bundle).encode(texts) if tokens.ids]
