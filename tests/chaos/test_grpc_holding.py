"""Callers over gRPC who hold what costs them nothing, watches, unread answers, calls that never end, cost others no
core, none of the kernel's memory, and no stop in time.
"""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from bothends.v1.embedding_pb2 import EmbedRequest
from tests.support.serving import Running, sample
from tests.support.until import until

from .answers import Reference
from .callers import EMBED, OK
from .costs import Costs, singles
from .hostile import message
from .vitals import answered, cpu_s, scrape

pytest.importorskip("bothends_native.front", reason="these bounds are the native front's", exc_type=ImportError)

from .connections import port_of, several

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CONNECTIONS, STREAMS, SECONDS = 500, 256, 5.0
MOST_WATCHES, MOST_CORE, MOST_KERNEL_MB = 512, 0.05, 100
DRAIN_S = 30


def test_watches(serve: Callable[..., Running], reference: Reference, record: Callable[..., None]) -> None:
    """128,000 calls that watch health, from one address: few are let in, and they cost no processor afterwards."""
    running = serve()
    request = message(b"")
    with Costs(running, singles(running, reference)) as costs:
        with several(port_of(running), CONNECTIONS, reads=False) as peers:
            for peer in peers:
                for _ in range(STREAMS):
                    peer.call(WATCH, request)
            until(lambda: sample(running, "bothends_grpc_calls") <= MOST_WATCHES + 1)
            began, before_s = time.monotonic(), cpu_s(running.process)
            time.sleep(SECONDS)  # the time that is measured
            core = (cpu_s(running.process) - before_s) / (time.monotonic() - began)
            with costs.calling():
                time.sleep(SECONDS)
            sent = sum(peer.sent for peer in peers)
        costs.recover()
    record(
        "gRPC: watches",
        watches=CONNECTIONS * STREAMS,
        core_percent=100 * core,
        **costs.figures(sent_bytes=sent, before="18.6 MB: 0.13 to 0.41 of a core for ever, 126 MB kept"),
    )
    assert core < MOST_CORE
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def kernel_mb(port: int) -> float:
    """Megabytes that the kernel holds to be sent from a port, or acknowledged."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[4].partition(":")[0], 16) for line in lines if line[1].endswith(f":{port:04X}")) / 1e6


def test_the_kernels_memory(serve: Callable[..., Running], reference: Reference, record: Callable[..., None]) -> None:
    """Lists of sentences whose answers nobody reads: the sockets hold little of them, and all is counted."""
    running = serve()
    request = message(EmbedRequest(sentences=["dragon"] * 250).SerializeToString())
    with Costs(running, singles(running, reference)) as costs:
        with several(port_of(running), 250, reads=False, window=1 << 30, receives=4096) as peers:
            for peer in peers:
                peer.http.increment_flow_control_window(1 << 30)
                for _ in range(10):
                    peer.call(EMBED, request)
            with costs.calling():
                time.sleep(2 * SECONDS)  # the time that is measured: all is answered, or as much as may wait
            held_mb, sent = kernel_mb(port_of(running)), sum(peer.sent for peer in peers)
        costs.recover()
    record(
        "gRPC: the kernel's memory",
        connections=250,
        kernel_mb=held_mb,
        **costs.figures(sent_bytes=sent, before="3.2 MB: 1.06 GB in the kernel"),
    )
    assert held_mb < MOST_KERNEL_MB
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def half_sent(peers: ExitStack, running: Running) -> None:
    """Send half of a request on each of some connections."""
    for raw in peers.enter_context(several(port_of(running), 3)):
        raw.call(EMBED, message(b"x" * 1000)[:-1], ends=False)
    until(lambda: sample(running, "bothends_grpc_places") == 3)


def reflection_unread(peers: ExitStack, running: Running) -> None:
    """Ask for reflection, and leave its answers unread."""
    for raw in peers.enter_context(several(port_of(running), 3, reads=False, window=0)):
        raw.call(REFLECTION, message(b"\x3a\x01*"), ends=False)
    until(lambda: sample(running, "bothends_grpc_unread_bytes") > 0)


def embeddings_unread(peers: ExitStack, running: Running) -> None:
    """Leave embeddings unread."""
    for raw in peers.enter_context(several(port_of(running), 3, reads=False, window=0)):
        raw.call(EMBED, message(EmbedRequest(sentences=["a dragon"]).SerializeToString()))
    until(lambda: answered(scrape(running)).get("OK", 0) >= 3)


@pytest.mark.parametrize("attack", [half_sent, reflection_unread, embeddings_unread])
def test_stops(
    serve: Callable[..., Running], record: Callable[..., None], attack: Callable[[ExitStack, Running], None]
) -> None:
    """Calls that would go on for as long as their callers like: the server ends long before its drain does, with 0."""
    running = serve("--drain-s", str(DRAIN_S))
    with ExitStack() as peers:
        attack(peers, running)
        asked = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=2 * DRAIN_S) == 0
        took_s = time.monotonic() - asked
    record("SIGTERM and callers who never end", before="32 s, exit status 1", **{f"{attack.__name__}_s": took_s})
    assert took_s < DRAIN_S / 2
