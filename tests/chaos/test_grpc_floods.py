"""Callers over gRPC who only want to be a burden keep health and nobody waiting, and fill no memory for long."""

import gzip
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from hyperframe.frame import DataFrame, RstStreamFrame

from bothends.server.keys import new
from bothends.v1.embedding_pb2 import EmbedRequest, EmbedStreamRequest
from tests.support.doors import ALONE
from tests.support.serving import Running
from tests.support.until import TIMEOUT_S, until

from .answers import Reference
from .callers import OK, Caller, Tally, call_until
from .conftest import Form
from .hostile import HEADERS, begun, headers, message
from .storms import beside
from .vitals import scrape, vitals

pytest.importorskip("bothends_native.front", reason="these bounds are the native front's", exc_type=ImportError)

from tests.native.front.raw import Raw

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
GZIP = [("grpc-encoding", "gzip")]
EMBED, STREAM = dict(HEADERS)[":path"], "/bothends.v1.EmbeddingService/EmbedStream"
PROBES = ("/grpc.health.v1.Health/Check", "/inference.GRPCInferenceService/ServerReady")
MOST_UNREAD_MB = 600


def port_of(running: Running) -> int:
    return int(running.target.rpartition(":")[2])


def neighbour(running: Running, reference: Reference, goes_on: Callable[[], bool], key: str | None = None) -> Tally:
    """Have a caller ask for a sentence again and again."""
    with Caller(running.target, reference.only(range(1, 20)), seed=1, most=1, key=key) as caller:
        return call_until(caller, lambda _: goes_on())


def for_so_long(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def checks(running: Running, times: int) -> list[float]:
    """Ask for health on a new connection each time; returns the seconds that each took."""
    found = []
    for _ in range(times):
        began = time.monotonic()
        with grpc.insecure_channel(running.target, options=ALONE) as channel:
            answer = HealthStub(channel).Check(HealthCheckRequest(), timeout=TIMEOUT_S, wait_for_ready=True)
        assert answer.status == HealthCheckResponse.SERVING
        found.append(time.monotonic() - began)
    return found


@contextmanager
def several(port: int, connections: int, **options: object) -> Iterator[list[Raw]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Raw(port, **options)) for _ in range(connections)]  # type: ignore[arg-type]


def test_health_checks_without_a_request(
    serve: Callable[..., Running], form: Form, record: Callable[..., None]
) -> None:
    """Headers of checks and probes, whose request never comes, are held by several; others' health is answered."""
    running = serve()
    with several(port_of(running), 4) as attackers:
        for attacker in attackers:
            for _ in range(100):
                for path in PROBES:
                    attacker.call(path, ends=False)
        seconds = checks(running, form.pick(20, 200))
    record("gRPC: health checks without a request", held=800, checks=len(seconds), lost=0,
           slowest_ms=1000 * max(seconds))  # fmt: skip


def test_connections_that_are_held(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """All connections that there may be are held: newcomers are let in, and health is answered."""
    running = serve()
    with ExitStack() as stack:
        for _ in range(511):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(running))))
            connection.sendall(begun())
        seconds = checks(running, form.pick(10, 100))
        others = neighbour(running, reference, for_so_long(2))
    record("gRPC: connections held", held=511, checks=len(seconds), slowest_ms=1000 * max(seconds),
           lost=sum(others.kinds.values()) - others.kinds[OK], others=others.kinds[OK])  # fmt: skip
    assert set(others.kinds) == {OK}


def resets(port: int, *, seconds: float, connections: int) -> int:
    """Begin calls and reset them, on connections that are opened anew when they are cut; returns how many were sent."""
    sent, goes_on = 0, for_so_long(seconds)
    while goes_on():
        with ExitStack() as stack, suppress(OSError):
            held = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(connections)]
            for connection in held:
                connection.sendall(begun())
            for first in count(1, 200):
                piece = b"".join(_reset(stream) for stream in range(first, first + 200, 2))
                for connection in held:
                    connection.sendall(piece)
                    sent += 100
                if not goes_on():
                    break
    return sent


def _reset(stream: int) -> bytes:
    body = DataFrame(stream, message(b"\x0a\x05hello"), flags=["END_STREAM"])
    return headers(stream) + body.serialize() + RstStreamFrame(stream, error_code=8).serialize()


def test_rapid_resets(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """Calls that are reset at once (CVE-2023-44487), without end, beside a caller who is none the wiser."""
    running, seconds = serve(), form.pick(4, 30)
    neighbour(running, reference, for_so_long(1))  # warms the engine
    alone = neighbour(running, reference, for_so_long(seconds))
    with beside(resets, port_of(running), seconds=seconds + 1, connections=2) as storm:
        time.sleep(0.5)  # it has begun
        others = neighbour(running, reference, for_so_long(seconds))
        sent = storm.result()
    record("gRPC: rapid resets", lost=sum(others.kinds.values()) - others.kinds[OK], resets=sent,
           others=others.kinds[OK], others_p50_alone_ms=alone.percentile_ms(50), others_p50_ms=others.percentile_ms(50),
           others_p99_alone_ms=alone.p99_ms, others_p99_ms=others.p99_ms)  # fmt: skip
    assert set(others.kinds) == {OK}, others.kinds


def test_unread_answers(serve: Callable[..., Running], reference: Reference, record: Callable[..., None]) -> None:
    """Windows of nothing, and hundreds of long lists: answers are bounded, and so is what they are made of."""
    running = serve()
    before, most = vitals(running.process.pid).rss_mb, 0.0
    request = message(EmbedRequest(sentences=["dragon"] * 1000).SerializeToString())
    with several(port_of(running), 2, reads=False, window=0) as attackers:
        for _ in range(250):
            for attacker in attackers:
                attacker.call(EMBED, request)
        goes_on = for_so_long(15)
        while goes_on():
            most = max(most, vitals(running.process.pid).rss_mb)
            time.sleep(0.1)  # between two looks at the memory
        others = neighbour(running, reference, for_so_long(2))
    until(lambda: vitals(running.process.pid).rss_mb - before < MOST_UNREAD_MB / 2)
    kept = vitals(running.process.pid).rss_mb - before
    record("gRPC: unread answers", calls=500, grew_mb=most - before, kept_mb=kept,
           lost=sum(others.kinds.values()) - others.kinds[OK])  # fmt: skip
    assert most - before < MOST_UNREAD_MB
    assert set(others.kinds) == {OK}, others.kinds


BOMB = message(gzip.compress(b"\x0a\x00" * 1_400_000, 9), flag=1)


def bombs(port: int, *, calls: int, key: str | None = None) -> Counter[str]:
    """Call with more sentences than anybody may, of no letters, compressed a thousandfold; returns the statuses."""
    found: Counter[str] = Counter()
    headers = GZIP if key is None else [*GZIP, ("authorization", f"Bearer {key}")]
    with Raw(port) as raw:
        for _ in range(calls):
            response = raw.call(EMBED, BOMB, headers=headers)
            raw.over(response)
            assert response.status in ("3", "8"), response
            found[response.status] += 1
    return found


def test_more_sentences_than_anybody_may_send(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """Requests of 1.4 million sentences in four kilobytes: refused one after the other, beside a caller."""
    running, calls = serve(), form.pick(50, 200)
    neighbour(running, reference, for_so_long(1))  # warms the engine
    alone = neighbour(running, reference, for_so_long(3))
    began = time.monotonic()
    with beside(bombs, port_of(running), calls=calls) as storm:
        others = neighbour(running, reference, lambda: not storm.done())
        storm.result()
    record("gRPC: a million sentences", calls=calls, sent_bytes=calls * len(BOMB), took_s=time.monotonic() - began,
           lost=sum(others.kinds.values()) - others.kinds[OK], others=others.kinds[OK],
           others_p50_alone_ms=alone.percentile_ms(50), others_p50_ms=others.percentile_ms(50),
           others_p99_alone_ms=alone.p99_ms, others_p99_ms=others.p99_ms)  # fmt: skip
    assert set(others.kinds) == {OK}, others.kinds


def test_more_sentences_than_a_key_may_send(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None], tmp_path: Path
) -> None:
    """The same with a small key: it pays for each, so that nearly all are refused unread."""
    (greedy, first), (polite, second) = new("greedy"), new("polite")
    (tmp_path / "keys.toml").write_text(f"{first}sentences_per_s = 100\n{second}")
    running = serve("--api-keys", str(tmp_path / "keys.toml"))
    neighbour(running, reference, for_so_long(1), polite)  # warms the engine
    alone, began = neighbour(running, reference, for_so_long(3), polite), time.monotonic()
    with beside(bombs, port_of(running), calls=50, key=greedy) as storm:
        others = neighbour(running, reference, lambda: not storm.done(), polite)
        statuses, took_s = storm.result(), time.monotonic() - began
    record("gRPC: a million sentences with a small key", calls=50, read=statuses["3"], refused_unread=statuses["8"],
           took_s=took_s, lost=sum(others.kinds.values()) - others.kinds[OK],
           others_p50_alone_ms=alone.percentile_ms(50), others_p50_ms=others.percentile_ms(50),
           others_p99_alone_ms=alone.p99_ms, others_p99_ms=others.p99_ms)  # fmt: skip
    assert statuses["3"] <= 1 + took_s / 10, "each costs ten seconds' worth"
    assert set(others.kinds) == {OK}, others.kinds


def test_one_keys_waiters(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None], tmp_path: Path
) -> None:
    """Hundreds of streams of one key that wait for their share: another key's calls, and its streams, are answered."""
    (greedy, first), (polite, second) = new("greedy"), new("polite")
    (tmp_path / "keys.toml").write_text(f"{first}sentences_per_s = 1\n{second}")
    running = serve("--api-keys", str(tmp_path / "keys.toml"))
    request = message(EmbedStreamRequest(sentences=["a", "b"]).SerializeToString())
    with several(port_of(running), 3) as attackers:
        for attacker in attackers:
            for _ in range(200):
                attacker.call(STREAM, request * 3, ends=False, headers=[("authorization", f"Bearer {greedy}")])
        others = neighbour(running, reference, for_so_long(5), polite)
    record("gRPC: one key's waiting streams", streams=600, others=others.kinds[OK],
           lost=sum(others.kinds.values()) - others.kinds[OK], others_p99_ms=others.p99_ms)  # fmt: skip
    assert set(others.kinds) == {OK}, others.kinds


def long_texts() -> bytes:
    """Return a message of four megabytes of text in a few kilobytes."""
    return message(gzip.compress(EmbedRequest(sentences=["dragon " * 9_000] * 64).SerializeToString(), 9), flag=1)


def list_s(target: str) -> float:
    """Ask for a long list, and return the seconds that it took."""
    request = EmbedRequest(sentences=["there will be dragons"] * 400).SerializeToString()
    began = time.monotonic()
    with grpc.insecure_channel(target, options=ALONE) as channel:
        channel.unary_unary(EMBED)(request, timeout=6 * TIMEOUT_S, wait_for_ready=True)
    return time.monotonic() - began


def test_long_texts_that_wait(serve: Callable[..., Running], reference: Reference, record: Callable[..., None]) -> None:
    """Lists of four megabytes of text by the hundred: what waits is bounded, and others' lists have their turns."""
    running = serve()
    neighbour(running, reference, for_so_long(1))  # warms the engine
    alone, alone_s = neighbour(running, reference, for_so_long(3)), list_s(running.target)
    before, most, bomb = vitals(running.process.pid).rss_mb, 0.0, long_texts()
    with several(port_of(running), 20) as attackers:
        for attacker in attackers * 15:
            attacker.call(EMBED, bomb, headers=GZIP)
        with beside(list_s, running.target) as asked:
            goes_on = for_so_long(5)
            while goes_on() or not asked.done():
                most = max(most, vitals(running.process.pid).rss_mb)
                time.sleep(0.1)  # between two looks at the memory
            others = neighbour(running, reference, for_so_long(3))
            beside_s = asked.result()
    until(lambda: vitals(running.process.pid).rss_mb - before < MOST_UNREAD_MB / 2)
    record("gRPC: long texts that wait", calls=300, sent_bytes=300 * len(bomb), grew_mb=most - before,
           kept_mb=vitals(running.process.pid).rss_mb - before, list_alone_s=alone_s, list_s=beside_s,
           lost=sum(others.kinds.values()) - others.kinds[OK], others_p50_alone_ms=alone.percentile_ms(50),
           others_p50_ms=others.percentile_ms(50), others_p99_alone_ms=alone.p99_ms,
           others_p99_ms=others.p99_ms)  # fmt: skip
    assert most - before < MOST_UNREAD_MB
    assert set(others.kinds) == {OK}, others.kinds


def test_long_texts_of_callers_who_have_gone(serve: Callable[..., Running], record: Callable[..., None]) -> None:
    """Lists of four megabytes of text in a few kilobytes, whose callers leave: the next long list is answered soon."""
    running, bomb = serve(), long_texts()
    list_s(running.target)  # warms the engine
    alone_s, began = list_s(running.target), time.monotonic()
    with several(port_of(running), 4) as attackers:
        calls = [attacker.call(EMBED, bomb, headers=GZIP) for attacker in attackers * 15]
        for attacker in attackers:
            attacker.over(attacker.call("/no.Such/Method"))  # all of its calls have come
        until(lambda: scrape(running)["bothends_grpc_waiting_messages"] == 0)  # and were taken
    stayed_s, after_s = time.monotonic() - began, list_s(running.target)
    record("gRPC: long texts for nobody", calls=len(calls), sent_bytes=len(calls) * len(bomb), stayed_s=stayed_s,
           list_alone_s=alone_s, list_after_s=after_s)  # fmt: skip
    assert after_s < TIMEOUT_S / 2
