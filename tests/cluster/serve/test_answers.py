"""Answers through Ray's proxies are those of `bothends serve`: bytes, errors, and when to come again."""

import json
import urllib.error
import urllib.request
from itertools import cycle
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from bothends import Client
from bothends.v1 import embedding_pb2 as pb
from bothends.wire.messages import SERVICE
from bothends.wire.status import unpacked
from tests.support.serving import Running
from tests.support.until import until

from .cluster import Cluster
from .conftest import Call

pytestmark = pytest.mark.ray

SENTENCES = ["there will be dragons", "a", "Zwölf Boxkämpfer jagen Viktor", "a man plays the guitar " * 20]
LONG = "word " * 300
FULL = pb.EmbedRequest(sentences=["a " * 255] * 1000).SerializeToString()
"""A request that takes most of what one replica lets wait."""


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalize": True, "dimensions": 128},
        {"encoding": pb.ENCODING_FLOAT16},
        {"encoding": pb.ENCODING_INT8, "normalize": True},
        {"encoding": pb.ENCODING_SIGN_BITS, "dimensions": 64},
        {"truncation": pb.TRUNCATION_KEEP_END},
    ],
)
def test_embeddings_are_the_same_bytes(on_ray: Call, without: Call, options: dict[str, Any]) -> None:
    request = pb.EmbedRequest(sentences=[*SENTENCES, LONG], **options).SerializeToString()
    found = on_ray("Embed", request)
    assert found.code == grpc.StatusCode.OK
    assert len(found.content) > 50
    assert found == without("Embed", request)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.EmbedRequest(sentences=["a", ""]).SerializeToString(), grpc.StatusCode.INVALID_ARGUMENT),
        (
            pb.EmbedRequest(sentences=["a", LONG], truncation=pb.TRUNCATION_ERROR).SerializeToString(),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
        (pb.EmbedRequest(sentences=["a"], dimensions=7).SerializeToString(), grpc.StatusCode.INVALID_ARGUMENT),
        (b"\xff\xff no protobuf", grpc.StatusCode.INVALID_ARGUMENT),
        (pb.EmbedRequest().SerializeToString(), grpc.StatusCode.INVALID_ARGUMENT),
    ],
    ids=["empty", "long", "dimensions", "malformed", "nothing"],
)
def test_errors_are_the_same_in_code_message_and_details(
    on_ray: Call, without: Call, request_: bytes, code: grpc.StatusCode
) -> None:
    found = on_ray("Embed", request_)
    assert found.code == code
    assert found == without("Embed", request_)


def test_streams_say_that_they_do_not_pass(cluster: Cluster, key: tuple[str, object]) -> None:
    with grpc.insecure_channel(cluster.target) as channel, pytest.raises(grpc.RpcError) as raised:
        list(channel.stream_stream(f"/{SERVICE}/EmbedStream", bytes, bytes)(iter([b""]), timeout=10))
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "Embed" in (raised.value.details() or "")


def test_a_call_to_full_replicas_gets_a_time_to_come_again(cluster: Cluster, key: tuple[str, object]) -> None:
    """Callers of full replicas get a time to come again, and callers who leave free the queue."""
    metadata = (("authorization", f"Bearer {key[0]}"),)
    with grpc.insecure_channel(cluster.target) as channel:
        embed: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/Embed")
        calls = [embed.future(FULL, metadata=metadata, timeout=60) for _ in range(8)]
        until(lambda: any(call.done() for call in calls))
        refused: Any = next(error for call in calls if call.done() and (error := call.exception()))
        until(lambda: max(cluster.counted("bothends_queue_sentences").values()) > 100)
        for call in calls:
            call.cancel()
        until(lambda: max(cluster.counted("bothends_queue_sentences").values()) == 0)
    assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    status = status_pb2.Status.FromString(dict(refused.trailing_metadata())["grpc-status-details-bin"])
    info, retry = unpacked(status, error_details_pb2.ErrorInfo()), unpacked(status, error_details_pb2.RetryInfo())
    assert info is not None
    assert info.reason == "OVERLOADED"
    assert retry is not None
    assert retry.retry_delay.ToNanoseconds() > 0
    assert sum(cluster.counted("bothends_requests_total", code="CANCELLED").values()) >= 1


def test_a_replica_knows_until_when_its_caller_waits(on_ray: Call) -> None:
    """A call that can't be done in time ends early in a status of its own, which none without a deadline gets."""
    times_s = cycle([0.5, 1.0, 1.5, 2.0, 2.5])
    until(lambda: b"DEADLINE" in on_ray("Embed", FULL, timeout=next(times_s)).details)


def post(url: str, key: str, body: object) -> tuple[int, dict[str, str | None], bytes]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(f"{url}/v1/embeddings", json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  our own server's
            return answer.status, {"type": answer.headers["content-type"]}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            told = {name: error.headers[name] for name in ("content-type", "www-authenticate")}
            return error.code, told, error.read()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": "english", "input": SENTENCES}, 200),
        ({"model": "english", "input": SENTENCES[0], "encoding_format": "base64", "dimensions": 128}, 200),
        ({"model": "english", "input": ["a", ""]}, 400),
        ({"model": "french", "input": ["a"]}, 404),
        (["no", "object"], 400),
    ],
)
def test_http_answers_the_same_bytes(
    cluster: Cluster, direct: Running, key: tuple[str, object], body: object, code: int
) -> None:
    found = post(cluster.url, str(key[0]), body)
    assert found[0] == code
    assert found == post(direct.http, str(key[0]), body)


def test_each_replica_has_its_metrics_under_the_names_that_dashboards_know(
    cluster: Cluster, direct: Running, key: tuple[str, object]
) -> None:
    """Replicas are found by http_sd, and every call is counted by one of them."""
    until(lambda: len(cluster.targets()) == 2)
    before = cluster.counted("bothends_requests_total", method="Embed", code="OK")
    with Client(cluster.target, api_key=str(key[0])) as client:
        for _ in range(40):
            client.encode(SENTENCES)
    after = cluster.counted("bothends_requests_total", method="Embed", code="OK")
    assert len(after) == 2
    assert sum(after.values()) - sum(before.values()) == 40
    assert all(after[replica] > before[replica] for replica in after)
    assert set(cluster.counted("bothends_selftest_success").values()) == {1.0}
