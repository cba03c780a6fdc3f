"""Proxies that people put before servers: our client's calls through them are as they are without."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager

import grpc
import httpx
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bothends import Client, DeadlineError, OverloadedError, Retry, SentenceError
from bothends.model.bundle import Bundle
from bothends.v1 import embedding_pb2_grpc
from bothends.v1.embedding_pb2 import EmbedRequest
from bothends.wire.messages import SERVICE
from tests.support.doors import serving
from tests.support.envoys import envoy
from tests.support.proxies import haproxy, haproxy_of_bytes, haproxy_of_http, nginx
from tests.support.serving import Running, sample
from tests.support.until import TIMEOUT_S, until

from .asked import CANCELLED, CONCURRENT, ENDLESS, SENTENCES

pytestmark = pytest.mark.slow  # starts other people's proxies

ONCE = Retry(attempts=1)


@contextmanager
def one_envoy(target: str) -> Iterator[str]:
    """Run deploy/envoy/envoy.yaml before one server."""
    with envoy([target]) as (address, _):
        yield address


@pytest.fixture(
    scope="module",
    params=[one_envoy, haproxy, haproxy_of_bytes, nginx],
    ids=["envoy", "haproxy", "haproxy-tcp", "nginx"],
)
def through(request: pytest.FixtureRequest, served: Running) -> Iterator[str]:
    """Address of a proxy before the server."""
    proxy: Callable[[str], AbstractContextManager[str]] = request.param
    with proxy(served.target) as address:
        yield address


@pytest.fixture
def client(through: str) -> Iterator[Client]:
    """A client that tries nothing twice, and doesn't find the wait too long, however busy the machine is."""
    with Client(through, retry=ONCE, timeout_s=5 * TIMEOUT_S) as connected:
        yield connected


def test_rows_are_the_servers_bit_for_bit(client: Client, expected: np.ndarray) -> None:
    """One request, and a stream in its order."""
    assert client.encode(SENTENCES).tobytes() == expected.tobytes()
    streamed = [row for row in client.encode_stream(SENTENCES) if isinstance(row, np.ndarray)]
    assert np.array(streamed).tobytes() == expected.tobytes()


def test_no_call_of_many_is_lost(client: Client, expected: np.ndarray) -> None:
    with ThreadPoolExecutor(CONCURRENT) as pool:
        rows = list(pool.map(client.encode, SENTENCES[:CONCURRENT]))
    assert np.array(rows).tobytes() == expected[:CONCURRENT].tobytes()


def test_an_error_has_its_details(client: Client) -> None:
    with pytest.raises(SentenceError, match="empty") as raised:
        client.encode(["a", " "])
    assert raised.value.index == 1


def test_a_deadline_ends_a_call(client: Client) -> None:
    """Once it has passed, or at once where the server knows by what it has measured that it can't be kept."""
    with pytest.raises((DeadlineError, OverloadedError)):
        client.encode(ENDLESS, timeout_s=0.2)


def test_a_cancelled_call_is_left_alone(served: Running, through: str) -> None:
    """A cancellation goes through, and the server counts it."""
    until(lambda: sample(served, "bothends_queue_sentences") == 0)
    before = sample(served, CANCELLED)
    with grpc.insecure_channel(through) as channel:
        call = embedding_pb2_grpc.EmbeddingServiceStub(channel).Embed.future(EmbedRequest(sentences=ENDLESS))
        until(lambda: sample(served, "bothends_queue_sentences") > 0)
        call.cancel()
        until(lambda: sample(served, CANCELLED) > before)


def test_a_compressed_call_goes_through(through: str, expected: np.ndarray) -> None:
    with grpc.insecure_channel(through, compression=grpc.Compression.Gzip) as channel:
        embed = embedding_pb2_grpc.EmbeddingServiceStub(channel).Embed
        (row,) = embed(EmbedRequest(sentences=SENTENCES[:1]), timeout=TIMEOUT_S).embeddings
    assert np.array(row.values, np.float32).tobytes() == expected[0].tobytes()


def test_the_gateway_speaks_json_over_http(toy_bundle: Bundle) -> None:
    """Readiness is that of all embedders; what the gateway itself answers is JSON, as OpenAI's clients show it."""
    with ExitStack() as up:
        server = up.enter_context(serving(toy_bundle, health_port=0, allowed_hosts="gateway"))
        assert server.health_port is not None
        with (
            haproxy_of_http(server.http_port, server.health_port) as uds,
            httpx.Client(
                transport=httpx.HTTPTransport(uds=uds), base_url="http://gateway", timeout=TIMEOUT_S
            ) as caller,
        ):
            until(lambda: caller.get("/readyz").json() == {"status": "serving"})
            asked = {"model": "toy", "input": "there will be dragons"}
            until(lambda: caller.post("/v1/embeddings", json=asked).status_code == 200)  # a late check takes it out
            assert caller.get("/metrics").status_code == 404
            assert "each embedder has its own" in caller.get("/healthz").json()["error"]["message"]
            up.close()
            until(lambda: caller.get("/readyz").status_code == 503)
            assert caller.get("/readyz").json() == {"status": "not serving"}
            refused = caller.post("/v1/embeddings", json=asked)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["error"]["code"] == "model_not_ready"


@pytest.mark.parametrize("proxy", [one_envoy, haproxy], ids=["envoy", "haproxy"])
def test_our_gateways_pass_no_health_on(proxy: Callable[[str], AbstractContextManager[str]], served: Running) -> None:
    """Health would be that of one server, whichever it is. Clients that watch it take UNIMPLEMENTED for healthy."""
    with proxy(served.target) as address, grpc.insecure_channel(address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=TIMEOUT_S)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        embedding_pb2_grpc.EmbeddingServiceStub(channel).Embed(EmbedRequest(sentences=["a"]), timeout=TIMEOUT_S)
