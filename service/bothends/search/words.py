"""Scores texts by the words that they share with a query: BM25, with bm25s, over stemmed English words."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

_LANGUAGE = "english"
_K1, _B = 1.2, 0.75
"""Lucene's constants, not tuned to any collection."""


class WordIndex:
    """BM25 index over texts (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009), computed like
    Lucene's.

    All of it is in memory: some bytes for each word of each text.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Index `texts`. An empty one shares no word with any query. Raises ModuleNotFoundError without bm25s."""
        try:
            import bm25s
            import Stemmer
        except ModuleNotFoundError as missing:
            needed = f"search by words needs {missing.name}: pip install 'bothends[search]'"
            raise ModuleNotFoundError(needed, name=missing.name) from missing
        self._count = len(texts)
        self._tokenize = partial(
            bm25s.tokenize,
            stopwords=_LANGUAGE,
            stemmer=Stemmer.Stemmer(_LANGUAGE),
            return_ids=False,
            show_progress=False,
        )
        words = self._tokenize(list(texts))
        self._index = bm25s.BM25(k1=_K1, b=_B) if any(words) else None
        if self._index is not None:
            self._index.index(words, show_progress=False)

    def scores(self, query: str) -> NDArray[np.float32]:
        """Return the score of every text for `query`, float32 [texts]: 0 if they share no word, and more the more they
        share.
        """
        (words,) = self._tokenize([query])
        if self._index is None or not words:
            return np.zeros(self._count, np.float32)
        scores: NDArray[np.float32] = self._index.get_scores(words)
        return scores
