"""Streams of a key that has had its share fill no memory, keep nobody waiting, and get that share, no less."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hpack import Encoder
from hyperframe.frame import DataFrame, HeadersFrame, WindowUpdateFrame

from bothends.v1.embedding_pb2 import EmbedStreamRequest
from tests.support.serving import Running

from .answers import Reference
from .callers import OK
from .connections import STREAM, port_of, two_keys
from .costs import Costs, singles
from .hostile import HEADERS, begun, message

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
CONNECTIONS, STREAMS, MESSAGES = 60, 250, 32
MAX_WAITING_MB = 64
SECONDS = 20
_DATA, _MIN_ANSWER = 0, 500
"""Type of a frame that carries answers, and bytes that one has at least."""


class Attacker:
    """A connection whose streams each have a window full of messages; what comes is counted and forgotten."""

    def __init__(self, port: int, key: str) -> None:
        self.answers = 0
        encoder, pieces = Encoder(), [begun(WindowUpdateFrame(0, window_increment=1 << 30))]
        named = [(name, STREAM if name == ":path" else value) for name, value in HEADERS]
        body = message(EmbedStreamRequest(sentences=["a"]).SerializeToString()) * MESSAGES
        for stream in range(1, 2 * STREAMS, 2):
            block = bytes(encoder.encode([*named, ("authorization", f"Bearer {key}")]))
            pieces.append(HeadersFrame(stream, block, flags=["END_HEADERS"]).serialize())
            pieces.append(DataFrame(stream, body).serialize())
        self._socket = socket.create_connection(("127.0.0.1", port))
        content = b"".join(pieces)
        self.sent = len(content)
        self._socket.sendall(content)
        threading.Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        with self._socket.makefile("rb") as frames:
            while len(head := frames.read(9)) == 9:
                size = int.from_bytes(head[:3], "big")
                frames.read(size)
                self.answers += head[3] == _DATA and size > _MIN_ANSWER


@pytest.mark.parametrize("transport", ["native", "grpcio"])
@pytest.mark.parametrize("rate", [1, 50])
def test_streams_of_a_key_that_has_had_its_share(
    serve: Callable[..., Running],
    reference: Reference,
    record: Callable[..., None],
    tmp_path: Path,
    rate: int,
    transport: str,
) -> None:
    """Half a million messages wait for one key's share: what they hold is bounded, and the key gets what is its own."""
    running, greedy, polite = two_keys(
        lambda *flags: serve(*flags, "--transport", transport), tmp_path, sentences_per_s=rate
    )
    with Costs(running, singles(running, reference, key=polite)) as costs:
        attackers = [Attacker(port_of(running), greedy) for _ in range(CONNECTIONS)]
        with costs.calling():
            time.sleep(SECONDS)  # the time that is measured
        answers, sent = sum(attacker.answers for attacker in attackers), sum(attacker.sent for attacker in attackers)
        for attacker in attackers:
            attacker.close()
        costs.recover()
    record(
        f"gRPC: streams that wait for a share of {rate} a second, {transport}",
        messages=CONNECTIONS * STREAMS * MESSAGES,
        answers=answers,
        **costs.figures(sent_bytes=sent, before="746 MB in 20 s, p50 12 ms; 9 answers at 50 a second"),
    )
    assert costs.grew_mb < MAX_WAITING_MB
    assert answers >= 0.8 * rate * SECONDS
    if transport == "native":  # gRPC's core drops some calls of anybody's, far beyond its limit
        assert set(costs.others.kinds) == {OK}, costs.others.kinds
