"""text-embeddings-inference's embeddings without Python: which end is kept of a text that is too long.

Bodies come as messages of gRPC here, and answers are held to Python's own in tests/promises.
"""

import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from bothends_native import transport

from tests.support.until import TIMEOUT_S

from .fast import MAX_TOKENS, WORDS, Fast, named
from .raw import ECHO
from .served import Served

WRITTEN = "b man a b b a man"


@pytest.fixture
def fast(serve: Callable[..., Served]) -> Iterator[Fast]:
    codec = transport.Codec.tei(models=[named()], truncation=transport.Truncation.error)
    made = Fast(serve(), codec=codec)
    yield made
    made.stop()


@pytest.mark.parametrize("direction", ["left", "Left", "right", "Right"])
def test_the_end_is_kept_where_the_left_is_cut(fast: Fast, direction: str) -> None:
    """However the API's word for it is written."""
    ids = [WORDS.index(word) for word in WRITTEN.split()]
    kept = ids[-MAX_TOKENS:] if direction.lower() == "left" else ids[:MAX_TOKENS]
    (row,) = fast.encoder.run(np.array(kept, np.int32), np.array([0, len(kept)]))
    asked = {"inputs": WRITTEN, "truncate": True, "truncation_direction": direction, "normalize": False}
    with fast.served.channel() as channel:
        answer = channel.unary_unary(ECHO)(json.dumps(asked).encode(), timeout=TIMEOUT_S)
    assert np.array_equal(np.array(json.loads(answer), np.float32), [row])
    assert fast.taken == []
