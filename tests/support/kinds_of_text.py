"""Token ids of each kind of text, and how far two engines' embeddings of them lie apart."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bothends.engines.native import NativeEngine
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer

Ids = Sequence[int]
DOCS = Path(__file__).parents[2] / "docs"


def kinds(bundle: Bundle, *, texts: int = 1000) -> dict[str, list[Ids]]:
    """Return token ids of each kind of text; those that are random come from one seed."""
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
    max_tokens, words = bundle.config.max_tokens, bundle.config.vocabulary_size
    random = np.random.default_rng(1)
    prose = " ".join(re.sub(r"[|#`*\[\]()]", " ", page.read_text()) for page in sorted(DOCS.glob("*.md")))
    sentences = [text for text in re.split(r"(?<=[.!?])\s+", prose) if 20 < len(text) < 600][:texts]
    alone = [[int(word)] for word in random.integers(0, words, texts)]
    phrases = [[int(word) for word in random.integers(0, words, count)] for count in random.integers(2, 6, texts)]
    return {
        "golden sentences": [tokens.ids for tokens in tokenizer.encode(bundle.golden.sentences)],
        "sentences of docs/": [tokens.ids for tokens in tokenizer.encode(sentences) if tokens.ids],
        "random tokens": [
            [int(word) for word in random.integers(0, words, length)]
            for length in random.integers(1, max_tokens + 1, texts)
        ],
        "a token 32 times": [word * 32 for word in alone],
        f"2 to 5 tokens, again and again, {max_tokens}": [(phrase * max_tokens)[:max_tokens] for phrase in phrases],
        f"a token {max_tokens} times": [word * max_tokens for word in alone],
    }


def lowest_cosine(exact: NativeEngine, other: NativeEngine, ids: Sequence[Ids]) -> float:
    """Return the lowest cosine of `other`'s embeddings to `exact`'s."""
    expected, found = exact.run(ids).astype(float), other.run(ids).astype(float)
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    return float(((expected * found).sum(axis=1) / lengths).min())
