"""Reads the certificate files for gRPC and HTTP, and reads them again when they change."""

import logging
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..errors import StartupError
from ..wire import pem
from .reloading import ReloadingFile, read_bytes
from .validity import warnings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Contents of the certificate files when they last matched each other."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None
    context: ssl.SSLContext
    """HTTP's, with the same certificate and key."""


class Certificates:
    """Server's certificate chain and key, and the CA that signs callers' certificates, from PEM files."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None, *, every_s: float = 5.0) -> None:
        """Read the files. Raises StartupError that names setting, file and reason."""
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        paths = [path for path in (certificate, key, client_ca) if path]
        self._files = ReloadingFile(paths, self._read, every_s=every_s)
        self.reload = self._files.reload

    @property
    def newest(self) -> Identity:
        """Latest contents of the files."""
        return self._files.value

    def context(self) -> ssl.SSLContext:
        """Make HTTP's SSL context, which uses the latest certificate for each new connection.

        It doesn't ask callers for certificates, since probes have none.
        """
        context = self._files.value.context

        def use_newest(connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
            connection.context = self._files.value.context

        context.sni_callback = use_newest  # called for clients that name no server too
        return context

    def _read(self) -> Identity:
        certificate = _pem(self._certificate, "--tls-cert", pem.CERTIFICATE)
        key = _pem(self._key, "--tls-key", pem.PRIVATE_KEY)
        client_ca = _pem(self._client_ca, "--tls-client-ca", pem.CERTIFICATE) if self._client_ca else None
        if client_ca is not None:
            pem.check_authorities(client_ca, f"--tls-client-ca {self._client_ca}", StartupError)
        self._warn(certificate, client_ca)
        return Identity(certificate, key, client_ca, self._context())

    def _warn(self, certificate: bytes, client_ca: bytes | None) -> None:
        """Log a warning about each certificate that isn't valid now."""
        now = datetime.now(UTC)
        for name, path, content in (
            ("--tls-cert", self._certificate, certificate),
            ("--tls-client-ca", self._client_ca, client_ca or b""),
        ):
            for warning in warnings(content, now):
                _log.warning("%s %s: %s", name, path, warning)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        named = f"--tls-cert {self._certificate}", f"--tls-key {self._key}"
        pem.load_pair(context, self._certificate, self._key, named=named, error=StartupError)
        return context


def _pem(path: Path, setting: str, label: bytes) -> bytes:
    content = read_bytes(path, setting)
    pem.check(content, label, f"{setting} {path}", StartupError)
    return content
