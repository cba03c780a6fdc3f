"""What a request asks for beside its sentences: C++ answers with the bytes that Python writes."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bothends.v1.embedding_pb2 import EmbedRequest
from bothends.wire.messages import encode
from tests.support.until import TIMEOUT_S

from .fast import SIZES, Fast, embedded, encoder_of
from .raw import ECHO
from .served import Served

SENTENCES = ("a man b a b a man", "b", "é b a")
WIDTHS = (3, 8, 37)
"""Numbers of each half: sums over rows that no power of two divides have a rest at some step."""


@pytest.fixture(params=WIDTHS)
def wide(request: pytest.FixtureRequest, serve: Callable[..., Served]) -> Iterator[Fast]:
    made = Fast(serve(), encoder_of(request.param))
    yield made
    made.stop()


def written(fast: Fast, content: bytes) -> bytes:
    """What Python answers."""
    return encode(*embedded(fast.encoder, content))


def answers(fast: Fast, contents: list[bytes]) -> list[bytes]:
    with fast.served.channel() as channel:
        calls = [channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for content in contents]
        return [call.result() for call in calls]


def test_each_option_is_answered_with_the_bits_that_python_makes(wide: Fast) -> None:
    """All of them together: what is cut, which numbers, of what length, in which format."""
    sizes = [0, *(size for size in SIZES if size <= wide.encoder.dimension)]
    asked: Iterator[tuple[Any, ...]] = itertools.product((0, 2, 3, 4), (False, True), sizes, range(5))
    contents = [
        EmbedRequest(
            sentences=SENTENCES, truncation=truncation, normalize=normalize, dimensions=size, encoding=encoding
        ).SerializeToString()
        for truncation, normalize, size, encoding in asked
    ]
    assert answers(wide, contents) == [written(wide, content) for content in contents]
    assert wide.count() == len(contents)


def test_fields_come_in_any_order_and_the_last_of_an_option_counts(fast: Fast) -> None:
    """As protobuf has it, a number in more bytes than it needs among them."""
    order = random.Random(33)  # noqa: S311  the same requests each time
    parts: list[dict[str, Any]] = [
        *({"sentences": [sentence]} for sentence in SENTENCES),
        *({"truncation": number} for number in (1, 3)),
        *({"normalize": True} for _ in range(2)),
        *({"dimensions": size} for size in (8, 4)),
        *({"encoding": number} for number in (2, 3, 4)),
    ]
    contents = []
    for _ in range(64):
        order.shuffle(parts)
        fields = [EmbedRequest(**part).SerializeToString() for part in parts]
        contents.append(b"".join((*fields, b"\x18\x00" * order.randrange(2), b"\x10\x83\x00")))
    assert answers(fast, contents) == [written(fast, content) for content in contents]
    assert fast.count() == len(contents)


def test_a_sentence_that_is_long_is_an_error_only_where_it_is_to_be(fast: Fast) -> None:
    """Truncation by error lets through what fits; what doesn't is Python's, which has the words."""
    fits, long = (
        EmbedRequest(sentences=[sentence], truncation="TRUNCATION_ERROR").SerializeToString()
        for sentence in ("a b", "a " * 6)
    )
    assert answers(fast, [fits, long]) == [written(fast, fits), long]
