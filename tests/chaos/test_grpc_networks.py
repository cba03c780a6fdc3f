"""Callers of one network, by whatever connections, keep those of others neither out nor waiting."""

import socket
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest

from tests.support.serving import Running

from .answers import Reference
from .callers import OK
from .conftest import Form
from .costs import Costs, singles
from .fields import entry, unindexed
from .hostile import HEADERS, begun, headers, raw
from .storms import beside

pytest.importorskip("bothends_native.transport", reason="these bounds are the native transport's", exc_type=ImportError)

from .connections import port_of, two_keys

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
MAX_RATIO = 3.0
"""Multiple of a neighbour's p50 alone that it may be beside frames that nothing comes of."""
MAX_MEAN_RATIO = 5.0
"""The same of the mean, which has the few calls that wait long, too."""
IDLE = {
    "answers of pings": raw(6, 1, 0, bytes(8)),
    "unknown frames": raw(0xFA, 0, 0, b""),
    "windows": raw(8, 0, 0, b"\0\0\0\1"),
}
CALLS = {"one key 303 times": (400, 303), "16 KB of headers": (16, 15_000)}
"""Calls of a piece, and how often each names one entry of HPACK's table."""
BEFORE = {
    ("one key 303 times", 1): "mean 27 ×, p50 28 ×",
    ("one key 303 times", 400): "mean 24 ×",
    ("answers of pings", 64): "mean 13 ×",
    ("unknown frames", 64): "mean 25 ×",
    ("windows", 64): "mean 98 ×",
    ("16 KB of headers", 64): "mean 19 ×",
}


@cache
def piece(kind: str, number: int) -> bytes:
    """Return what a flood sends for its `number`-th piece, some hundred kilobytes."""
    if kind in IDLE:
        return IDLE[kind] * 16_000
    calls, names = CALLS[kind]
    first = 2 * calls * number + 1
    blocks = [unindexed(HEADERS) + b"\xbe" * names] * calls
    if number == 0:  # an entry of HPACK's table, which is named from then on
        blocks[0] = unindexed(HEADERS) + entry(b"authorization", b"Bearer " + b"k" * 33)
    return b"".join(
        headers(first + 2 * index, block, "END_HEADERS", "END_STREAM") for index, block in enumerate(blocks)
    )


def flood(port: int, kind: str, *, connections: int, seconds: float) -> int:
    """Send one kind of frames for so long, over so many connections that are opened anew when they are cut.

    Returns how many bytes were taken.
    """
    end, sent = time.monotonic() + seconds, 0
    held: list[socket.socket | None] = [None] * connections
    numbers, left = [0] * connections, [b""] * connections
    while time.monotonic() < end:
        for index, connection in enumerate(held):
            try:
                if connection is None:
                    held[index] = connection = socket.create_connection(("127.0.0.1", port), 5)
                    connection.setblocking(False)
                    numbers[index], left[index] = 0, begun()
                if not left[index]:
                    left[index], numbers[index] = piece(kind, numbers[index]), numbers[index] + 1
                taken = connection.send(left[index])
                left[index], sent = left[index][taken:], sent + taken
            except BlockingIOError:
                continue
            except OSError:
                if connection is not None:
                    connection.close()
                held[index] = None
    for connection in held:
        if connection is not None:
            connection.close()
    return sent


@pytest.mark.parametrize(
    ("kind", "connections"),
    [
        ("one key 303 times", 1),
        ("one key 303 times", 400),
        ("answers of pings", 64),
        ("unknown frames", 64),
        ("windows", 64),
        ("16 KB of headers", 64),
    ],
)
def test_frames_that_nothing_comes_of(
    serve: Callable[..., Running],
    reference: Reference,
    form: Form,
    record: Callable[..., None],
    tmp_path: Path,
    kind: str,
    connections: int,
) -> None:
    """Frames that ask for nothing, and headers that are long once they are unpacked: a neighbour is served as ever."""
    seconds = form.pick(4.0, 30.0)
    running, _, polite = two_keys(serve, tmp_path, sentences_per_s=1)
    with Costs(running, singles(running, reference, key=polite), leaves={"rested_in_vain"}) as costs:
        with beside(flood, port_of(running), kind, connections=connections, seconds=seconds) as storm:
            time.sleep(0.5)  # it has begun
            with costs.calling():
                sent = storm.result()
        costs.recover()
    mean_ratio = fmean(costs.others.seconds) / fmean(costs.alone.seconds)
    record(
        f"gRPC: {kind} by {connections}",
        others_mean_ratio=mean_ratio,
        bar_of_mean_ratio=MAX_MEAN_RATIO,
        others_p50_ratio=costs.others.percentile_ms(50) / costs.alone.percentile_ms(50),
        bar_of_p50_ratio=MAX_RATIO,
        **costs.figures(sent_bytes=sent, before=BEFORE[kind, connections]),
    )
    assert set(costs.others.kinds) == {OK}, costs.others.kinds
    assert costs.others.percentile_ms(50) <= MAX_RATIO * costs.alone.percentile_ms(50)
    assert mean_ratio <= MAX_MEAN_RATIO
