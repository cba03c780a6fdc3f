"""Errors of gRPC's own become bothends' errors, in both clients."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from bothends import TLS, BothendsError, Client, ConnectionFailedError, OverloadedError, Retry
from bothends.client.errors import with_hint
from bothends.v1 import embedding_pb2
from tests.support.awaited import Awaited
from tests.support.grpcs import answer, serving
from tests.support.until import TIMEOUT_S

from .certificates import Certificates

Either = type[Client] | type[Awaited]


ONCE = Retry(attempts=1)


def test_a_client_closed_while_it_waits_says_so() -> None:
    """Closing isn't taken for an overload, and the call isn't made again."""
    asked, closed = threading.Event(), threading.Event()

    def never(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        asked.set()
        closed.wait(TIMEOUT_S)
        return b""

    with serving(never) as server, ThreadPoolExecutor(1) as pool:
        client = Client(server.target)
        waiting = pool.submit(client.encode, ["anyone?"])
        assert asked.wait(TIMEOUT_S)
        client.close()
        with pytest.raises(BothendsError, match="was closed while it waited"):
            waiting.result(TIMEOUT_S)
        closed.set()


def hinted(target: str, tls: TLS | bool, either: Either) -> str:
    with either(target, tls=tls, retry=ONCE) as client, pytest.raises(ConnectionFailedError) as raised:
        client.encode(["anyone?"])
    return str(raised.value)


@pytest.mark.parametrize(
    "words",
    [
        "errors resolving a:1: [field:hostname lookup error:address lookup failed for a:1: Domain name not found]",
        "DNS resolution failed for a:1: UNAVAILABLE: getaddrinfo(name): Name or service not known",
    ],
)
def test_an_unknown_host_is_told_in_plain_words(words: str) -> None:
    """Nothing of gRPC's resolver is in them. Where no DNS server answers at all, gRPC's own words stay."""
    assert with_hint(words).startswith("no such host is known here; ")


def test_what_is_wrong_with_tls_is_told_with_what_to_do(certificates: Certificates, either: Either) -> None:
    """A hint for each way in which a handshake fails, and where nobody listens."""

    def embed(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        return answer(request)

    ours = TLS(ca=certificates.ca)
    with serving(embed, credentials=certificates.server("127.0.0.1")) as server:
        assert "it may speak TLS where you don't (tls=True, --tls)" in hinted(server.target, False, either)
        assert "name its authority (TLS(ca=…), --ca)" in hinted(server.target, True, either)
    with serving(embed, credentials=certificates.server("elsewhere.example")) as server:
        assert "its certificate is of another name" in hinted(server.target, ours, either)
    with serving(embed, credentials=certificates.server("127.0.0.1", asks_for_ours=True)) as server:
        assert "want your certificate (TLS(cert=…, key=…)" in hinted(server.target, ours, either)
    with serving(embed) as server:
        assert "it speaks no TLS: leave that out" in hinted(server.target, ours, either)
    assert hinted("127.0.0.1:1", False, either).endswith("; nothing listens there: bothends serve starts a server")


def test_a_call_that_grpc_drops_is_an_overload(either: Either) -> None:
    """gRPC says CANCELLED to calls that an overloaded server never saw; a caller must not think it was itself."""

    def drop(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.CANCELLED, "CANCELLED")

    with (
        serving(drop) as server,
        either(server.target, retry=ONCE) as client,
        pytest.raises(OverloadedError, match="dropped the call") as raised,
    ):
        client.encode(["anyone?"])
    assert raised.value.retry_after_s > 0
