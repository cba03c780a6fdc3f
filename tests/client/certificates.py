"""Certificates that an authority of the tests' own vouches for, and a server that asks for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import trustme

from bothends.v1 import embedding_pb2
from tests.support.grpcs import Plain, answer, serving


class Certificates:
    """An authority, and a client that it vouches for, as files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca, self.cert, self.key = (folder / name for name in ("ca.pem", "client.pem", "client-key.pem"))
        authority.cert_pem.write_to_path(str(self.ca))
        mine = authority.issue_cert("client@example.com")
        mine.cert_chain_pems[0].write_to_path(str(self.cert))
        mine.private_key_pem.write_to_path(str(self.key))
        self._authority = authority

    def server(self, *names: str, asks_for_ours: bool = False) -> grpc.ServerCredentials:
        theirs = self._authority.issue_cert(*names)
        pair = theirs.private_key_pem.bytes(), theirs.cert_chain_pems[0].bytes()
        root = self._authority.cert_pem.bytes() if asks_for_ours else None
        return grpc.ssl_server_credentials([pair], root, asks_for_ours)


@contextmanager
def secured(certificates: Certificates, headers: list[str]) -> Iterator[Plain]:
    """A server that proves its name and asks for a certificate; `headers` gets each `authorization` that comes."""

    def embed(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        headers.extend(str(value) for key, value in context.invocation_metadata() if key == "authorization")
        return answer(request)

    with serving(embed, credentials=certificates.server("127.0.0.1", asks_for_ours=True)) as server:
        yield server
