"""Streams of servers as people run them: memory, the end, and clients that go on where one broke."""

import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from bothends import Client, ConnectionFailedError, Retry
from tests.support.awaited import Awaited
from tests.support.serving import Running, finish, restarted, sample
from tests.support.streams import Stream, request

pytestmark = pytest.mark.slow  # kills servers and measures their memory

PATIENT = Retry(attempts=60, burst=1000)
UNREAD = [("grpc.http2.bdp_probe", 0)]
"""Options of a reader that takes no more than 64 kB ahead."""


def embedded(running: Running) -> float:
    return sample(running, 'bothends_sentence_tokens_count{model="english"}')


def settled(running: Running) -> float:
    """Number of sentences that it has embedded, once it embeds no more."""
    while True:
        before = embedded(running)
        time.sleep(0.5)
        if embedded(running) == before > 0:
            return before


def resident_mb(running: Running) -> float:
    status = Path(f"/proc/{running.process.pid}/status")
    if not status.exists():
        pytest.skip("needs /proc")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    assert found is not None
    return int(found[1]) / 1024


@pytest.mark.ci
def test_a_slow_reader_fills_no_memory(running: Running) -> None:
    """A server whose answers stay unread takes few of a gigabyte's messages; all else stays with the caller."""
    large = request(*["x" * 30_000] * 20).SerializeToString()  # one unknown word each: little work, and few tokens
    with grpc.insecure_channel(running.target, options=UNREAD) as channel:
        with Stream(channel) as reader:
            reader.send(*[large] * 20)
            assert len(reader.rest()) == 20
        before_mb, before = resident_mb(running), embedded(running)
        with Stream(channel, timeout=None) as stream:
            stream.send(*[large] * 1700)
            assert settled(running) - before < 500
            assert resident_mb(running) < before_mb + 100


def test_a_late_reader_gets_everything(running: Running) -> None:
    """Answers to 10,000 sentences stay unread until the server stands still; all come, and memory doesn't grow."""
    sentences = [f"dragon number {index}" for index in range(10_000)]
    with Client(running.target) as client:
        expected = client.encode(sentences)
    before_mb = resident_mb(running)
    with grpc.insecure_channel(running.target, options=UNREAD) as channel, Stream(channel, timeout=None) as stream:
        stream.send(*[request(*sentences[start : start + 20]) for start in range(0, len(sentences), 20)])
        settled(running)
        found = [item.embedding.values for response in stream.rest() for item in response.items]
    assert resident_mb(running) < before_mb + 30
    assert len(found) == len(sentences)
    assert all(list(values) == row.tolist() for values, row in zip(found, expected, strict=True))


@pytest.mark.parametrize(("either", "how"), [(Client, signal.SIGKILL), (Awaited, signal.SIGTERM)])
def test_a_client_goes_on_where_a_stream_broke(
    running: Running, either: type[Client | Awaited], how: signal.Signals
) -> None:
    """Rows are neither lost nor doubled though the server dies or stops in the middle and is started again."""
    sentences = [f"dragon number {index}" for index in range(6000)]
    taken: list[str] = []
    successors: list[Running] = []

    def read() -> Iterator[str]:
        for sentence in sentences:
            taken.append(sentence)
            yield sentence

    def restart() -> None:
        running.process.send_signal(how)
        running.process.wait(timeout=60)
        successors.append(restarted(running))

    with Client(running.target) as plain:
        expected = plain.encode(sentences)
    restarting = threading.Thread(target=restart)
    try:
        with either(running.target, retry=PATIENT) as client:
            found = list[Any]()
            for row in client.encode_stream(read()):
                found.append(row)
                if len(found) == 500:
                    restarting.start()
        restarting.join(timeout=60)
        assert len(found) == len(sentences)
        assert all(row.tobytes() == right.tobytes() for row, right in zip(found, expected, strict=True))
        assert taken == sentences
        assert embedded(successors[0]) < 6000
    finally:
        if restarting.ident is not None:
            restarting.join(timeout=60)
        for server in successors:
            finish(server)


def test_a_client_that_does_not_retry_gets_the_error(running: Running) -> None:
    """Answers from before the end have come."""
    with Client(running.target, retry=Retry(attempts=1)) as client:
        rows = client.encode_stream("dragons" for _ in range(1_000_000))
        assert next(rows).shape == (512,)  # type: ignore[union-attr]
        finish(running)
        with pytest.raises(ConnectionFailedError):
            list(rows)
