"""Sentences counted on the wire, before any is made, however they are written."""

import pytest

from bothends.v1.embedding_pb2 import TRUNCATION_ERROR, EmbedRequest, TokenizeRequest
from bothends.wire.counting import holds_more_than

OVERLONG = b"\x8a\x80\x00\x00"
"""An empty string in field 1, its tag in more bytes than it needs."""


@pytest.mark.parametrize("words", ["", "a", "a dragon", "ein Drachen \u00fcber \U0001f409\n\n", "long " * 100])
@pytest.mark.parametrize("count", [1, 9, 10, 11, 500])
def test_as_many_as_its_parser_finds(words: str, count: int) -> None:
    for request in (EmbedRequest, TokenizeRequest):
        content = request(sentences=[words] * count, truncation=TRUNCATION_ERROR).SerializeToString()
        assert holds_more_than(content, 10) == (count > 10)


def test_tags_that_are_longer_than_they_need() -> None:
    assert len(EmbedRequest.FromString(OVERLONG * 20).sentences) == 20
    assert holds_more_than(OVERLONG * 20, 10)
    assert not holds_more_than(OVERLONG * 10, 10)


def test_other_fields_hide_nothing() -> None:
    """Unknown ones of every type stand between sentences; what has too many of them is refused as well."""
    others = b"\x78\x01" + b"\x79" + bytes(8) + b"\x7a\x02hi" + b"\x7d" + bytes(4) + b"\x7b\x7c"
    content = others + b"\x0a\x00" * 11
    assert len(EmbedRequest.FromString(content).sentences) == 11
    assert holds_more_than(content, 10)
    assert holds_more_than(b"\x78\x01" * 10_000, 10)


@pytest.mark.parametrize("other", [b"\x79" + b"\x0a" * 8, b"\x7d" + b"\x0a" * 4], ids=["fixed64", "fixed32"])
def test_bytes_of_a_number_are_no_sentences(other: bytes) -> None:
    """Read from any other place they would be strings that swallow the sentences behind them."""
    content = other + b"\x0a\x00" * 11
    assert len(EmbedRequest.FromString(content).sentences) == 11
    assert holds_more_than(content, 10)


@pytest.mark.parametrize("content", [b"\xff" * 100, b"\x0a\x7f" * 30 + b"\x0a", b"\x0a" + b"\xff" * 50, b"\x00" * 9])
def test_what_is_no_protobuf_is_left_to_its_parser(content: bytes) -> None:
    assert not holds_more_than(content, 20)


def test_a_million_cost_no_more_than_a_few() -> None:
    """Counting stops at the first that is too many: anything may follow."""
    assert holds_more_than(b"\x0a\x00" * 11 + b"\xff" * 100, 10)
