"""Callers over gRPC who only want to be a burden keep health and nobody waiting, and fill no memory for long."""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from hyperframe.frame import DataFrame, RstStreamFrame

from bothends.v1.embedding_pb2 import EmbedRequest, EmbedStreamRequest
from tests.support.doors import ALONE
from tests.support.serving import Running
from tests.support.until import TIMEOUT_S

from .answers import Reference
from .callers import EMBED, OK
from .conftest import Form
from .costs import Costs, for_so_long, singles
from .hostile import begun, headers, message
from .storms import beside

pytest.importorskip("bothends_native.front", reason="these bounds are the native front's", exc_type=ImportError)

from .connections import STREAM, port_of, several, two_keys

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
PROBES = ("/grpc.health.v1.Health/Check", "/inference.GRPCInferenceService/ServerReady")
MOST_UNREAD_MB = 600
RESETS_RATIO = 2
"""Multiple of its p99 alone that a neighbour's should be beside rapid resets. It is recorded and not asserted: two
p99s of some seconds differ by more on a busy machine without any attack.
"""


def checks(running: Running, times: int) -> dict[str, float]:
    """Ask for health on a new connection each time; returns how often, and how long the slowest took."""
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        with grpc.insecure_channel(running.target, options=ALONE) as channel:
            answer = HealthStub(channel).Check(HealthCheckRequest(), timeout=TIMEOUT_S, wait_for_ready=True)
        assert answer.status == HealthCheckResponse.SERVING
        seconds.append(time.monotonic() - began)
    return {"checks": times, "slowest_check_ms": 1000 * max(seconds)}


def test_health_checks_without_a_request(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """Headers of checks and probes, whose request never comes, are held by several; others' health is answered."""
    running = serve()
    with Costs(running, singles(running, reference)) as costs:
        with several(port_of(running), 4) as attackers:
            for attacker in attackers:
                for _ in range(100):
                    for path in PROBES:
                        attacker.call(path, ends=False)
            health = checks(running, form.pick(20, 200))
            with costs.calling():
                time.sleep(form.pick(3, 30))  # the time that is measured
            sent = sum(attacker.sent for attacker in attackers)
        costs.recover()
    record(
        "gRPC: health checks without a request",
        held=800,
        **health,
        **costs.figures(sent_bytes=sent, before="277 bytes: no health check answered for as long"),
    )
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def test_connections_that_are_held(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """All connections that there may be are held: newcomers are let in, and health is answered."""
    running, beginning = serve(), begun()
    with Costs(running, singles(running, reference)) as costs:
        with ExitStack() as stack:
            for _ in range(511):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(running))))
                connection.sendall(beginning)
            health = checks(running, form.pick(10, 100))
            with costs.calling():
                time.sleep(form.pick(3, 30))  # the time that is measured
        costs.recover()
    record(
        "gRPC: connections held",
        held=511,
        **health,
        **costs.figures(sent_bytes=511 * len(beginning), before="17 KB: newcomers and health out for 36 s"),
    )
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def resets(port: int, *, seconds: float, connections: int) -> tuple[int, int]:
    """Begin calls and reset them, on connections opened anew when they are cut; returns how many calls, and bytes."""
    sent, size, goes_on = 0, 0, for_so_long(seconds)
    while goes_on():
        with ExitStack() as stack, suppress(OSError):
            held = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(connections)]
            for connection in held:
                connection.sendall(begun())
            for first in count(1, 200):
                piece = b"".join(_reset(stream) for stream in range(first, first + 200, 2))
                for connection in held:
                    connection.sendall(piece)
                    sent, size = sent + 100, size + len(piece)
                if not goes_on():
                    break
    return sent, size


def _reset(stream: int) -> bytes:
    body = DataFrame(stream, message(b"\x0a\x05hello"), flags=["END_STREAM"])
    return headers(stream) + body.serialize() + RstStreamFrame(stream, error_code=8).serialize()


def test_rapid_resets(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]
) -> None:
    """Calls that are reset at once (CVE-2023-44487), without end, beside a caller who is none the wiser."""
    running, seconds = serve(), form.pick(4, 30)
    with Costs(running, singles(running, reference), seconds=seconds) as costs:
        with beside(resets, port_of(running), seconds=seconds + 1, connections=2) as storm:
            time.sleep(0.5)  # it has begun
            with costs.calling():
                sent, size = storm.result()
        costs.recover()
    record(
        "gRPC: rapid resets",
        resets=sent,
        others_p99_ratio=costs.others.p99_ms / costs.alone.p99_ms,
        bar_of_p99_ratio=RESETS_RATIO,
        **costs.figures(sent_bytes=size, before="1,012,000 on one connection; 83 % of a neighbour's calls failed"),
    )
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def test_unread_answers(serve: Callable[..., Running], reference: Reference, record: Callable[..., None]) -> None:
    """Windows of nothing, and hundreds of long lists: answers are bounded, and so is what they are made of."""
    running = serve()
    request = message(EmbedRequest(sentences=["dragon"] * 1000).SerializeToString())
    with Costs(running, singles(running, reference)) as costs:
        with several(port_of(running), 2, reads=False, window=0) as attackers:
            for _ in range(250):
                for attacker in attackers:
                    attacker.call(EMBED, request)
            with costs.calling():
                time.sleep(15)  # the time that is measured: all is answered, or as much as may wait
            sent = sum(attacker.sent for attacker in attackers)
        costs.recover(most_kept_mb=MOST_UNREAD_MB / 2)
    record(
        "gRPC: unread answers",
        calls=500,
        **costs.figures(sent_bytes=sent, before="3.4 MB: 3.2 GB, 75 s after they closed too"),
    )
    assert costs.grew_mb < MOST_UNREAD_MB
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def test_one_keys_waiters(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None], tmp_path: Path
) -> None:
    """Hundreds of streams of one key that wait for their share: another key's calls, and its streams, are answered."""
    running, greedy, polite = two_keys(serve, tmp_path, sentences_per_s=1)
    request = message(EmbedStreamRequest(sentences=["a", "b"]).SerializeToString())
    with Costs(running, singles(running, reference, key=polite)) as costs:
        with several(port_of(running), 3) as attackers:
            for attacker in attackers:
                for _ in range(200):
                    attacker.call(STREAM, request * 3, ends=False, headers=[("authorization", f"Bearer {greedy}")])
            with costs.calling():
                time.sleep(5)  # the time that is measured
            sent = sum(attacker.sent for attacker in attackers)
        costs.recover()
    record(
        "gRPC: one key's waiting streams",
        streams=600,
        **costs.figures(sent_bytes=sent, before="512 streams: every other key out for 56 s"),
    )
    assert set(costs.others.kinds) == {OK}, costs.others.kinds
