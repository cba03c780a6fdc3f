"""The transport in C++ (bothends_native.transport), given its sockets, limits, statuses and certificates."""

import socket
from collections.abc import Sequence

from ....settings import PortSettings
from ...concurrency_limit import MOST_WAIT
from ...tls import Certificates, Identity
from ..contract import Method, Statuses, Transport


class NativeListener:
    """A socket that the native transport is to listen on."""

    def __init__(self, listener: socket.socket, certificates: Certificates | None, settings: PortSettings) -> None:
        """Take a bound socket."""
        self.port: int = listener.getsockname()[1]
        self._socket = listener
        self._certificates = certificates
        self._settings = settings
        self._given: Identity | None = None

    def serve(
        self, methods: Sequence[Method], *, headers: Sequence[str], health: Sequence[str], statuses: Statuses
    ) -> Transport:
        """Make the transport on it, once."""
        from bothends_native import transport

        self._socket.setblocking(False)
        self._transport = transport.Transport(
            [transport.Listener(self._socket.detach())],
            [
                transport.Method(name, is_stream=is_stream, is_metered=is_metered)
                for name, is_stream, is_metered in methods
            ],
            headers=headers,
            health=health,
            statuses={transport.Refusal[reason.name]: status for reason, status in statuses.items()},
            limits=self._settings,
            most_wait=MOST_WAIT,
        )
        self.renew()
        return self._transport

    def renew(self) -> None:
        """Give new connections the newest certificate."""
        if self._certificates is not None and (newest := self._certificates.newest) is not self._given:
            self._given = newest
            self._transport.set_certificates(newest.certificate, newest.key, newest.client_ca)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()
