"""Search among rows of vectors by meaning and by words, and near-duplicates. Rows may stay on disk, as `np.memmap`.

Nothing here embeds, except index.py: it embeds files for `bothends search` and `bothends deduplicate`.

>>> import numpy as np
>>> from bothends.search import nearest
>>> vectors = np.eye(3, dtype=np.float32)  # rows of length 1, as encode(…, normalize=True) returns them
>>> nearest(vectors, vectors[1:2], top=2).rows
array([[1, 0]])
"""

from .approximate import NeighbourGraph
from .duplicates import Duplicates, near_duplicates
from .exact import Hits, nearest, similarities
from .hybrid import hybrid, standardised
from .pieces import in_pieces
from .words import WordIndex

__all__ = [
    "Duplicates",
    "Hits",
    "NeighbourGraph",
    "WordIndex",
    "hybrid",
    "in_pieces",
    "near_duplicates",
    "nearest",
    "similarities",
    "standardised",
]
