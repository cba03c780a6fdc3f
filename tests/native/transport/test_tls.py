"""TLS: certificates that can be used, and HTTP/2 or nothing."""

import contextlib
import socket
import ssl
from collections.abc import Callable

import grpc
import pytest
import trustme

from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw
from .served import ROW, Served

Serve = Callable[..., Served]
AUTHORITY = trustme.CA()


def show(served: Served, *, asks: bool = False) -> trustme.LeafCert:
    """Give the transport a new certificate, and perhaps an authority of callers."""
    pair = AUTHORITY.issue_cert("localhost", "127.0.0.1")
    chain = b"".join(part.bytes() for part in pair.cert_chain_pems)
    ca = AUTHORITY.cert_pem.bytes() if asks else None
    served.transport.set_certificates(chain, pair.private_key_pem.bytes(), ca)
    return pair


def trusting(protocols: tuple[str, ...] = ("h2",)) -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def test_calls_by_tls(serve: Serve) -> None:
    """Unary calls and streams of grpcio, small and large, are answered."""
    served = serve()
    show(served)
    served.answering()
    with served.channel(grpc.ssl_channel_credentials(AUTHORITY.cert_pem.bytes())) as channel:
        for content in (b"", b"x", b"y" * 3_000_000):
            assert channel.unary_unary(ECHO)(content, timeout=TIMEOUT_S) == content
        contents = [b"z" * 100_000] * 50
        assert list(channel.stream_stream(ROW)(iter(contents), timeout=TIMEOUT_S)) == contents


def test_certificates_that_cannot_be_used_change_nothing(serve: Serve) -> None:
    """Unusable certificates raise an error that says what is wrong, and the old ones still serve."""
    served = serve()
    pair, other = show(served), AUTHORITY.issue_cert("other")
    chain, key = pair.cert_chain_pems[0].bytes(), pair.private_key_pem.bytes()
    for shown, by, ca, words in (
        (b"", key, None, "the certificate can't be used"),
        (chain, b"", None, "the key can't be used"),
        (chain, other.private_key_pem.bytes(), None, "the key"),
        (chain, key, b"none", "the client CA holds no certificate"),
    ):
        with pytest.raises(RuntimeError, match=words):
            served.transport.set_certificates(shown, by, ca)
    served.answering()
    with Raw(served.port, context=trusting()) as raw:
        raw.over(raw.echo(b"x"))


@pytest.mark.parametrize(("protocols", "chosen"), [(("h2",), "h2"), (("http/1.1", "h2"), "h2"), ((), None)])
def test_the_protocol_is_agreed_on(serve: Serve, protocols: tuple[str, ...], chosen: str | None) -> None:
    """HTTP/2, where a caller offers any."""
    served = serve()
    show(served)
    with Raw(served.port, context=trusting(protocols=protocols)) as raw:
        assert isinstance(raw.socket, ssl.SSLSocket)
        assert raw.socket.selected_alpn_protocol() == chosen


def test_other_protocols_are_refused(serve: Serve) -> None:
    """Callers that don't offer HTTP/2 get TLS's own alert, and callers in the clear are closed."""
    served = serve()
    show(served)
    with pytest.raises(ssl.SSLError, match=r"(?i)alert no application protocol"):
        Raw(served.port, context=trusting(protocols=("http/1.1",)))
    with pytest.raises(AssertionError, match="closed"):
        Raw(served.port)
    served.let_go(of_connections=True)


def test_who_does_not_shake_hands_is_closed(serve: Serve) -> None:
    """Connections that send nothing, or a part of a handshake, are closed; one that is ready stays."""
    served = serve(caller_timeout_s=0.05)
    with Raw(served.port) as ready:
        silent = [socket.create_connection(("127.0.0.1", served.port), TIMEOUT_S) for _ in range(2)]
        show(served)
        silent.append(socket.create_connection(("127.0.0.1", served.port), TIMEOUT_S))
        silent[1].sendall(b"PRI * HTTP/2.0\r\n")
        silent[2].sendall(b"\x16\x03\x01\x02\x00")
        for one in silent:
            with contextlib.suppress(ConnectionError):
                while one.recv(1000):
                    pass
            one.close()
        ready.over(ready.call("/t.T/No"))
        until(lambda: served.figure("connections") == 1)
