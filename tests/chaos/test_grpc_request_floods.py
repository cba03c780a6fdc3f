"""Requests over gRPC that cost much more than their bytes, and unread answers, are bounded and keep nobody waiting."""

import gzip
import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest

from bothends.v1.embedding_pb2 import EmbedRequest
from tests.support.doors import ALONE
from tests.support.serving import Running
from tests.support.until import TIMEOUT_S, until

from . import floods
from .answers import Reference
from .callers import EMBED, OK
from .costs import Costs, singles
from .hostile import message
from .storms import beside
from .vitals import scrape

pytest.importorskip("bothends_native.transport", reason="these bounds are the native transport's", exc_type=ImportError)

from tests.native.transport.raw import Raw, several

from .connections import port_of, two_keys

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
GZIP = [("grpc-encoding", "gzip")]
MAX_WAITING_MB = MAX_UNREAD_MB = 600
HALF_BYTES, MAX_BOTH_MB = 525_000, 300
"""Bytes of each of 480 messages that come, and memory that they may take with HTTP's."""


BOMB = message(gzip.compress(b"\x0a\x00" * 1_400_000, 9), flag=1)


def bombs(port: int, *, calls: int, key: str) -> Counter[str]:
    """Call with more sentences than anybody may, of no letters, compressed a thousandfold; returns the statuses."""
    found: Counter[str] = Counter()
    headers = [*GZIP, ("authorization", f"Bearer {key}")]
    with Raw(port) as raw:
        for _ in range(calls):
            response = raw.call(EMBED, BOMB, headers=headers)
            raw.over(response)
            assert response.status in ("3", "8"), response
            found[response.status] += 1
    return found


def test_more_sentences_than_a_key_may_send(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None], tmp_path: Path
) -> None:
    """Requests of 1.4 million sentences in four kilobytes: a key pays for each, and nearly all are refused unread."""
    running, greedy, polite = two_keys(serve, tmp_path, sentences_per_s=100)
    with Costs(running, singles(running, reference, key=polite)) as costs:
        began = time.monotonic()
        with beside(bombs, port_of(running), calls=50, key=greedy) as storm, costs.calling():
            statuses = storm.result()
        took_s = time.monotonic() - began
        costs.recover()
    record(
        "gRPC: a million sentences with a small key",
        calls=50,
        read=statuses["3"],
        refused_unread=statuses["8"],
        took_s=took_s,
        **costs.figures(sent_bytes=50 * len(BOMB), before="never charged"),
    )
    assert statuses["3"] <= 1 + took_s / 10, "each costs ten seconds' worth"
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def long_texts() -> bytes:
    """Return a message of four megabytes of text in a few kilobytes."""
    return message(gzip.compress(EmbedRequest(sentences=["dragon " * 9_000] * 64).SerializeToString(), 9), flag=1)


def list_s(target: str) -> float:
    """Ask for a long list, and return the seconds that it took."""
    request = EmbedRequest(sentences=["there will be dragons"] * 400).SerializeToString()
    began = time.monotonic()
    with grpc.insecure_channel(target, options=ALONE) as channel:
        channel.unary_unary(EMBED, bytes, bytes)(request, timeout=6 * TIMEOUT_S, wait_for_ready=True)
    return time.monotonic() - began


def test_long_texts_that_wait(serve: Callable[..., Running], reference: Reference, record: Callable[..., None]) -> None:
    """Lists of four megabytes of text by the hundred: what waits is bounded, and others' lists have their turns."""
    running, bomb = serve(), long_texts()
    with Costs(running, singles(running, reference)) as costs:
        alone_s = list_s(running.target)
        with several(port_of(running), 20) as attackers:
            for attacker in attackers * 15:
                attacker.call(EMBED, bomb, headers=GZIP)
            with beside(list_s, running.target) as asked, costs.calling():
                time.sleep(5)  # the time that is measured
                beside_s = asked.result()
            sent = sum(attacker.sent for attacker in attackers)
        costs.recover(max_kept_mb=MAX_WAITING_MB / 2)
    record(
        "gRPC: long texts that wait",
        calls=300,
        list_alone_s=alone_s,
        list_s=beside_s,
        **costs.figures(sent_bytes=sent, before="0.9 MB: no list over 4,096 characters for 108 s"),
    )
    assert costs.grew_mb < MAX_WAITING_MB
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def test_long_texts_of_callers_who_have_gone(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None]
) -> None:
    """Lists of four megabytes of text in a few kilobytes, whose callers leave: the next long list is answered soon."""
    running, bomb = serve(), long_texts()
    with Costs(running, singles(running, reference)) as costs:
        alone_s = list_s(running.target)
        with several(port_of(running), 4) as attackers, costs.calling():
            calls = [attacker.call(EMBED, bomb, headers=GZIP) for attacker in attackers * 15]
            for attacker in attackers:
                attacker.over(attacker.call("/no.Such/Method"))  # all of its calls have come
            until(lambda: scrape(running)["bothends_grpc_waiting_messages"] == 0)  # and were taken
            sent = sum(attacker.sent for attacker in attackers)
        after_s = list_s(running.target)
        costs.recover()
    record(
        "gRPC: long texts for nobody",
        calls=len(calls),
        list_alone_s=alone_s,
        list_after_s=after_s,
        **costs.figures(sent_bytes=sent, before="0.9 MB: no list over 4,096 characters for 108 s"),
    )
    assert after_s < TIMEOUT_S / 2
    assert set(costs.others.kinds) == {OK}, costs.others.kinds


def test_half_a_request_on_both_ports(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None]
) -> None:
    """Messages over gRPC of which a half comes, beside HTTP's bodies of empty lists: one bound holds for both."""
    running, half = serve(), struct.pack(">BI", 0, 2 * HALF_BYTES) + bytes(HALF_BYTES)
    body = floods.nothing()
    web = urlsplit(running.http)
    with Costs(running, singles(running, reference)) as costs:
        with several(port_of(running), 48) as attackers, costs.calling():
            for attacker in attackers:
                for _ in range(10):
                    attacker.call(EMBED, half, ends=False)
            with floods.unread((web.hostname or "", web.port or 0), body, connections=125):
                time.sleep(10)  # the time that is measured
        costs.recover(max_kept_mb=MAX_BOTH_MB)
    sent = 480 * HALF_BYTES + 125 * len(body)
    record("gRPC and HTTP: half a request", **costs.figures(sent_bytes=sent, before="557 MB"))
    assert costs.grew_mb < MAX_BOTH_MB
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
        costs.recover(max_kept_mb=MAX_UNREAD_MB / 2)
    record(
        "gRPC: unread answers",
        calls=500,
        **costs.figures(sent_bytes=sent, before="3.4 MB: 3.2 GB, 75 s after they closed too"),
    )
    assert costs.grew_mb < MAX_UNREAD_MB
    assert set(costs.others.kinds) == {OK}, costs.others.kinds
