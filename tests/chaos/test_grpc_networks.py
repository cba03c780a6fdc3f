"""Callers of one network, by whatever connections, keep those of others neither out nor waiting."""

import socket
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest

from bothends.v1.embedding_pb2 import EmbedRequest, EmbedStreamRequest
from tests.support.serving import Running

from .answers import Reference
from .callers import EMBED, OK
from .conftest import Form
from .costs import Costs, singles
from .fields import entry, unindexed
from .hostile import HEADERS, begun, headers, message, raw
from .storms import beside

pytest.importorskip("bothends_native.front", reason="these bounds are the native front's", exc_type=ImportError)

from tests.native.front.raw import Raw
from tests.native.front.test_health import CHECK

from .connections import STREAM, port_of, several, two_keys

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
CONNECTIONS = 512
MOST_RATIO = 3.0
"""Multiple of a neighbour's p50 alone that it may be beside frames that nothing comes of."""
MOST_MEAN_RATIO = 5.0
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
SHORT = message(EmbedRequest(sentences=["there will be dragons"]).SerializeToString())


def is_served(port: int, place: int, key: str) -> bool:
    """Come from 127.0.0.`place`, ask for health and for an embedding, and return True if both were answered."""
    try:
        with Raw(port, source=f"127.0.0.{place}") as newcomer:
            answers = newcomer.call(CHECK, message(b"")), newcomer.call(EMBED, SHORT, headers=bearer(key))
            newcomer.over(*answers)
    except AssertionError:
        return False
    return [answer.status for answer in answers] == ["0", "0"]


def bearer(key: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {key}")]


def test_connections_that_are_kept_busy(
    serve: Callable[..., Running], form: Form, record: Callable[..., None], tmp_path: Path
) -> None:
    """All connections that there may be have a message that waits for its key's share: newcomers are let in."""
    running, greedy, polite = two_keys(serve, tmp_path, sentences_per_s=1)
    request = message(EmbedStreamRequest(sentences=["a", "b"]).SerializeToString())
    with several(port_of(running), CONNECTIONS) as attackers:
        for attacker in attackers:
            attacker.call(STREAM, request * 3, ends=False, headers=bearer(greedy))
        time.sleep(1)  # each has been of no use for as long as makes room for anybody
        newcomers = form.pick(10, 100)
        let_in = sum(is_served(port_of(running), 2 + place % 200, polite) for place in range(newcomers))
        sent = sum(attacker.sent for attacker in attackers)
    record(
        "gRPC: connections kept busy", held=CONNECTIONS, sent_bytes=sent, newcomers=newcomers, newcomers_let_in=let_in
    )
    assert let_in == newcomers


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
        headers(first + 2 * place, block, "END_HEADERS", "END_STREAM") for place, block in enumerate(blocks)
    )


def flood(port: int, kind: str, *, connections: int, seconds: float) -> int:
    """Send one kind of frames for so long, over so many connections that are opened anew when they are cut.

    Returns how many bytes were taken.
    """
    end, sent = time.monotonic() + seconds, 0
    held: list[socket.socket | None] = [None] * connections
    numbers, left = [0] * connections, [b""] * connections
    while time.monotonic() < end:
        for place, connection in enumerate(held):
            try:
                if connection is None:
                    held[place] = connection = socket.create_connection(("127.0.0.1", port), 5)
                    connection.setblocking(False)
                    numbers[place], left[place] = 0, begun()
                if not left[place]:
                    left[place], numbers[place] = piece(kind, numbers[place]), numbers[place] + 1
                taken = connection.send(left[place])
                left[place], sent = left[place][taken:], sent + taken
            except BlockingIOError:
                continue
            except OSError:
                if connection is not None:
                    connection.close()
                held[place] = None
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
    with Costs(running, singles(running, reference, key=polite)) as costs:
        with beside(flood, port_of(running), kind, connections=connections, seconds=seconds) as storm:
            time.sleep(0.5)  # it has begun
            with costs.calling():
                sent = storm.result()
        costs.recover()
    mean_ratio = fmean(costs.others.seconds) / fmean(costs.alone.seconds)
    record(
        f"gRPC: {kind} by {connections}",
        others_mean_ratio=mean_ratio,
        bar_of_mean_ratio=MOST_MEAN_RATIO,
        others_p50_ratio=costs.others.percentile_ms(50) / costs.alone.percentile_ms(50),
        bar_of_p50_ratio=MOST_RATIO,
        **costs.figures(sent_bytes=sent, before=BEFORE[kind, connections]),
    )
    assert set(costs.others.kinds) == {OK}, costs.others.kinds
    assert costs.others.percentile_ms(50) <= MOST_RATIO * costs.alone.percentile_ms(50)
    assert mean_ratio <= MOST_MEAN_RATIO


def test_half_sent_messages(serve: Callable[..., Running], form: Form, record: Callable[..., None]) -> None:
    """More half-sent messages than may be held, then silence: another network's of two megabytes are taken at once."""
    running, size = serve(), 1_050_000
    port = port_of(running)
    with several(port, 260) as attackers:
        for attacker in attackers:
            attacker.call(STREAM, message(b"x" * size)[:-1], ends=False)
        taken = 0
        for _ in range(form.pick(10, 100)):
            with Raw(port, source="127.0.0.2") as honest:
                response = honest.call(EMBED, message(EmbedRequest(sentences=["a" * 2_000_000]).SerializeToString()))
                honest.over(response)
                taken += response.status != "8"
        sent = sum(attacker.sent for attacker in attackers)
    record("gRPC: half-sent messages", sent_bytes=sent, requests=form.pick(10, 100), taken=taken)
    assert taken == form.pick(10, 100)
