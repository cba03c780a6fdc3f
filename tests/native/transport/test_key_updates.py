"""TLS 1.3's KeyUpdate, as often as a peer likes: by OpenSSL itself, since Python's ssl can't send it."""

import ctypes
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.chaos.hostile import PREFACE
from tests.support.until import TIMEOUT_S, until

from .raw import Raw, framed
from .served import Served
from .test_tls import show

UPDATES = 100_000
"""Changes of key that take a transport about a second: longer than an echo by far."""


@pytest.fixture
def openssl() -> ctypes.CDLL:
    """OpenSSL as the transport has loaded it."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    name = next((line.split()[-1] for line in maps if "/libssl" in line), None)
    if name is None:
        pytest.skip("the transport stands on no shared libssl here")
    library = ctypes.CDLL(name)
    for made in ("TLS_client_method", "SSL_CTX_new", "SSL_new", "BIO_new", "BIO_s_mem"):
        getattr(library, made).restype = ctypes.c_void_p
    return library


class Peer:
    """A TLS client whose records are made in memory, and sent by whoever asks for them."""

    def __init__(self, openssl: ctypes.CDLL) -> None:
        self._openssl = openssl
        self._context = ctypes.c_void_p(openssl.SSL_CTX_new(ctypes.c_void_p(openssl.TLS_client_method())))
        openssl.SSL_CTX_set_alpn_protos(self._context, b"\x02h2", 3)
        self._ssl = ctypes.c_void_p(openssl.SSL_new(self._context))
        memory = ctypes.c_void_p(openssl.BIO_s_mem())
        self._in, self._out = ctypes.c_void_p(openssl.BIO_new(memory)), ctypes.c_void_p(openssl.BIO_new(memory))
        openssl.SSL_set_bio(self._ssl, self._in, self._out)
        openssl.SSL_set_connect_state(self._ssl)

    def shake_hands(self, connection: socket.socket) -> None:
        while self._openssl.SSL_do_handshake(self._ssl) != 1:
            connection.sendall(self.records())
            received = connection.recv(1 << 16)
            assert self._openssl.BIO_write(self._in, received, len(received)) == len(received)
        connection.sendall(self.records())

    def updates(self, count: int) -> bytes:
        """Records that each change the key, and ask for nothing."""
        for _ in range(count):
            assert self._openssl.SSL_key_update(self._ssl, 0) == 1
            assert self._openssl.SSL_do_handshake(self._ssl) == 1
        return self.records()

    def said(self, content: bytes) -> bytes:
        """Records of `content`, by the key of now."""
        assert self._openssl.SSL_write(self._ssl, content, len(content)) == len(content)
        return self.records()

    def records(self) -> bytes:
        """Bytes that are to be sent."""
        pieces, room = [], ctypes.create_string_buffer(1 << 16)
        while (size := self._openssl.BIO_read(self._out, room, len(room))) > 0:
            pieces.append(room.raw[:size])
        return b"".join(pieces)

    def close(self) -> None:
        self._openssl.SSL_free(self._ssl)
        self._openssl.SSL_CTX_free(self._context)


@contextmanager
def shaken(openssl: ctypes.CDLL, port: int) -> Iterator[tuple[socket.socket, Peer]]:
    """A connection that says nothing but TLS."""
    with socket.socket() as connection, closing(Peer(openssl)) as peer:
        connection.settimeout(TIMEOUT_S)
        connection.connect(("127.0.0.1", port))
        peer.shake_hands(connection)
        yield connection, peer


@pytest.mark.timing
def test_new_keys_by_the_hundred_thousand_keep_nobody_waiting(
    serve: Callable[..., Served], openssl: ctypes.CDLL
) -> None:
    """A neighbour is answered before what comes behind the flood is read: each record has its turn, like any other.

    It measures time: the flood has to outlast an echo.
    """
    served = serve(caller_timeout_s=TIMEOUT_S).answering()
    with Raw(served.port) as neighbour:
        show(served)
        with shaken(openssl, served.port) as (connection, peer):
            flood = peer.updates(UPDATES) + peer.said(PREFACE)
            sender = threading.Thread(target=connection.sendall, args=(flood,))
            sender.start()
            response = neighbour.echo(b"x")
            neighbour.over(response)
            received_bytes = served.figure("received_bytes")
            sender.join(TIMEOUT_S)
        assert response.content == framed(b"x")
        assert received_bytes == neighbour.sent
        served.let_go()


def test_new_keys_are_read_as_they_should_be(serve: Callable[..., Served], openssl: ctypes.CDLL) -> None:
    """Whatever comes behind a few of them is understood."""
    served = serve(caller_timeout_s=TIMEOUT_S)
    show(served)
    with shaken(openssl, served.port) as (connection, peer):
        for _ in range(3):
            connection.sendall(peer.updates(3))
        connection.sendall(peer.updates(1) + peer.said(PREFACE))
        until(lambda: served.figure("received_bytes") == len(PREFACE))
