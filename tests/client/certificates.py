"""Certificates that an authority of the tests' own vouches for."""

from pathlib import Path

import grpc
import trustme


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
