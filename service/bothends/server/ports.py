"""Binds the ports that the settings name: gRPC's with its transport, HTTP's, and health's. Nothing is answered yet."""

import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack

from ..settings import PortSettings
from .grpc.select import listen, select
from .sockets import address_of, bound, is_loopback, port_of
from .tls import Certificates

_log = logging.getLogger(__name__)


class Ports:
    """All ports, bound together, so that a port in use is reported before anything is loaded.

    Unused ones need `close`.
    """

    def __init__(self, settings: PortSettings) -> None:
        """Bind. Raises StartupError, also for certificates; then nothing stays bound."""
        self.transport = select(settings)
        """Name of the transport that is to serve: native serves HTTP too."""
        self.certificates = (
            Certificates(settings.tls_cert, settings.tls_key, settings.tls_client_ca, every_s=settings.reload_s)
            if settings.tls_cert and settings.tls_key
            else None
        )
        with ExitStack() as undo:
            self.http = undo.enter_context(bound(settings.host, settings.http_port, "http_port"))
            """HTTP's socket, to be closed by the server on it."""
            self.health: socket.socket | None = None
            """Socket of health alone; None if it isn't configured."""
            if settings.health_port is not None:
                self.health = undo.enter_context(bound(settings.host, settings.health_port, "health_port"))
            self.address = address_of(self.http)
            """IP address that HTTP listens on, or a name of this machine where that is a file."""
            self.http_port = port_of(self.http)
            self.health_port = None if self.health is None else port_of(self.health)
            self.grpc = listen(self.transport, settings, self.certificates, http=self.http, health=self.health)
            self._sockets = undo.pop_all()
        for warning in open_doors(settings, self.address):
            _log.warning(warning)
        if settings.trusted_proxies and self.transport != "native":
            _log.warning("--trusted-proxies says nothing to %s: all callers of a proxy share its turns", self.transport)

    def reload(self) -> None:
        """Look for newer certificates now."""
        if self.certificates is not None:
            self.certificates.reload()

    def close(self) -> None:
        """Close all ports."""
        self._sockets.close()
        self.grpc.close()


def open_doors(settings: PortSettings, bound_to: str) -> Iterator[str]:
    """List what is reachable without protection, why it matters and what to do, if other machines can reach the
    port.
    """
    if is_loopback(bound_to):
        return
    index = f"{settings.host} is reachable from outside"
    if not settings.tls_cert:
        yield f"{index} without TLS: sentences and keys can be read on their way; set --tls-cert"
    if not settings.api_keys and not settings.tls_client_ca:
        yield f"{index} without API keys: whoever reaches it may call; set --api-keys"
