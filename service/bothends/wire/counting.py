"""Counts the sentences in a request's bytes without parsing it, so that far too large ones are refused cheaply.

It relies on field 1, a string, being the sentences in each request of bothends. Callers pass the limit.
"""

from collections.abc import Iterator
from typing import TypeAlias

Bytes: TypeAlias = bytes | memoryview
"""Bytes of a message. A part of a memoryview is no copy."""
_STRING_1 = 0x0A
"""Tag of a length-delimited field 1, as every encoder writes it."""
_LENGTH = 2
_FIXED = {1: 8, 5: 4}
"""Bytes of wire types without a length."""
_OTHER_FIELDS = 64
"""Fields besides sentences that any request may have."""
_MAX_DIGITS = 10
"""Most bytes of a varint (https://protobuf.dev/programming-guides/encoding/)."""


def holds_more_than(content: bytes, max_count: int) -> bool:
    """Return True if the message has more than `max_count` strings in field 1, or more other fields than requests have.

    It stops as soon as that is known. Bytes that aren't protobuf are left to the parser.
    """
    if len(content) <= 2 * max_count:  # each takes two bytes at least
        return False
    index = found = 0
    try:
        for _ in range(max_count + _OTHER_FIELDS):
            if content[index] == _STRING_1 and content[index + 1] < 0x80:
                found += 1
                index += 2 + content[index + 1]
            else:
                is_string, index = _skip(content, index)
                found += is_string
            if found > max_count or index >= len(content):
                return found > max_count
    except IndexError:
        return False
    return True


def fields(content: Bytes) -> Iterator[tuple[int, Bytes | None]]:
    """Yield the number of each field of a message, in order, with its bytes if it is length-delimited.

    Ends early if the bytes aren't protobuf, which the parser then reports. Fields inside a group are yielded like
    others.
    """
    index = 0
    try:
        while index < len(content):
            tag, start = _varint(content, index)
            if tag & 7 == _LENGTH:
                size, start = _varint(content, start)
                index = start + size
                yield tag >> 3, content[start:index]
            else:
                index = _skip(content, index)[1]
                yield tag >> 3, None
    except IndexError:
        return


def _skip(content: Bytes, index: int) -> tuple[bool, int]:
    """Return whether the field at `index` is a length-delimited field 1, and where it ends.

    Raises IndexError if it is malformed.
    """
    tag, index = _varint(content, index)
    kind = tag & 7
    if kind == _LENGTH:
        size, index = _varint(content, index)
        return tag >> 3 == 1, index + size
    if kind == 0:
        return False, _varint(content, index)[1]
    return False, index + _FIXED.get(kind, 0)  # of a group, the fields inside it come next


def _varint(content: Bytes, index: int) -> tuple[int, int]:
    """Return the number at `index`, and where it ends. Raises IndexError if it is malformed."""
    number = 0
    for digit in range(_MAX_DIGITS):
        byte = content[index + digit]
        number |= (byte & 0x7F) << 7 * digit
        if byte < 0x80:
            return number, index + digit + 1
    raise IndexError
