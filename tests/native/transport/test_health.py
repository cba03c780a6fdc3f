"""grpc.health.v1, answered by the transport."""

from collections.abc import Callable
from contextlib import ExitStack

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.support.until import TIMEOUT_S, until

from .raw import Raw, Response, framed
from .served import PROBE, Served

Serve = Callable[..., Served]
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"


@pytest.mark.parametrize("service", ["", "t.T"])
def test_check(serve: Serve, service: str) -> None:
    """Services that are known are as well as the transport is, and in a full one, too."""
    served = serve(max_concurrent_requests=0)
    with served.channel() as channel:
        stub = HealthStub(channel)
        for serving in (True, False, True):
            served.transport.set_serving(serving)
            expected = SERVING if serving else NOT_SERVING
            assert stub.Check(HealthCheckRequest(service=service), timeout=TIMEOUT_S).status == expected
        with pytest.raises(grpc.RpcError) as unknown:
            stub.Check(HealthCheckRequest(service="no"), timeout=TIMEOUT_S)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        compressed = stub.Check(
            HealthCheckRequest(service=service), timeout=TIMEOUT_S, compression=grpc.Compression.Gzip
        )
        assert compressed.status == SERVING
    assert served.count() == []


@pytest.mark.parametrize(
    "content", [framed(b"\x0a\x05ab"), framed(b"\xff"), framed(b"x" * 5000), framed(b"", b""), b"\0"]
)
def test_what_is_no_request_is_refused(serve: Serve, content: bytes) -> None:
    """Malformed and oversized checks fail with INTERNAL or RESOURCE_EXHAUSTED; a second message may be ignored."""
    served = serve()
    with Raw(served.port) as raw:
        check = raw.call(CHECK, content)
        raw.over(check)
        assert check.status in ("13", "8") or content == framed(b"", b"")
        watch = raw.call(WATCH, content)
        raw.wait(lambda: watch.is_over or watch.content)
        served.let_go() if watch.is_over else raw.reset(watch)


def test_who_watches_does_not_keep_the_transport_from_resting(serve: Serve) -> None:
    """Watches of known and unknown services, and checks without a request, leave the transport idle."""
    served = serve()
    with Raw(served.port) as raw:
        watches = [raw.call(WATCH, framed(b"")), raw.call(WATCH, framed(b"\x0a\x02no"))]
        raw.wait(lambda: all(watch.content for watch in watches))
        raw.call(CHECK, ends=False)
        until(lambda: served.figure("calls") == 3)
        assert served.transport.wait_idle(TIMEOUT_S)


def test_who_watches_is_bounded_by_network_and_in_all(serve: Serve) -> None:
    """A network watches as often as there may be connections; of four times as many in all, the greediest gives way."""
    served = serve(max_connections=5)

    def watch(peer: Raw, service: bytes = b"") -> Response:
        made = peer.call(WATCH, framed(service))
        peer.wait(lambda: made.content or made.is_over)
        return made

    with ExitStack() as stack:
        peers = [stack.enter_context(Raw(served.port, source=f"127.0.0.{index}")) for index in range(2, 7)]
        for peer in peers[:4]:
            watches = [watch(peer, b"\x0a\x02no" if index == 0 else b"") for index in range(6)]
            assert [made.status for made in watches] == [None] * 5 + ["8"]
        assert served.figure("watchers") == 20
        assert watch(peers[4]).status is None
        assert served.figure("watchers") == 20
        peers[3].__exit__()
        until(lambda: served.figure("watchers") <= 16)
        served.transport.set_serving(False)
        peers[4].wait(lambda: len(peers[4].responses[1].content) == 14)


def test_a_watcher_who_reads_nothing_holds_little(serve: Serve) -> None:
    """Seven bytes a change."""
    served = serve()
    with Raw(served.port, reads=False, window=0) as raw:
        raw.call(WATCH, framed(b""))
        until(lambda: served.figure("watchers") == 1)
        for change in range(1000):
            served.transport.set_serving(change % 2 == 1)
        assert served.figure("unread_bytes") in (9 * 1001, 7 * 1001)
    served.let_go()


def test_a_watcher_who_reads_nothing_is_cut_off(serve: Serve) -> None:
    """One that has read nothing for too long holds nothing more, and may stay connected."""
    served = serve(stall_s=0.05)
    with Raw(served.port, reads=False, window=0) as raw:
        raw.call(WATCH, framed(b""))
        until(lambda: served.figure("calls_begun") == 1)
        served.let_go()


def test_calls_whose_requests_never_come_keep_no_health_check_waiting(serve: Callable[..., Served]) -> None:
    """Hundreds of checks, watches and probes without requests: others are answered, and these have an end."""
    served = serve(caller_timeout_s=0.5).answering()
    with ExitStack() as stack:
        attackers = [stack.enter_context(Raw(served.port)) for _ in range(3)]
        paths = [CHECK, WATCH, PROBE] * 80
        silent = [attacker.call(path, ends=False) for attacker in attackers for path in paths]
        with Raw(served.port) as neighbour:
            check, probe = neighbour.call(CHECK, framed(b"")), neighbour.call(PROBE, framed(b"x"))
            neighbour.over(check, probe)
            assert (check.status, probe.status) == ("0", "0")
        for attacker in attackers:
            attacker.over(*attacker.responses.values())
        assert {response.message for response in silent} == {"it is slow"}
        served.let_go()
