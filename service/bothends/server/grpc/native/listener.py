"""Binds the sockets of the C++ transport (bothends_native.transport), and gives it limits, error texts and
certificates.
"""

import socket
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ....settings import PortSettings
from ...concurrency_limit import MAX_WAIT
from ...sockets import port_of
from ...tls import Certificates, Identity
from ..contract import HttpTerms, Method, Reason, Statuses, Transport

if TYPE_CHECKING:
    from bothends_native.transport import Hosts


class NativeListener:
    """Sockets of the native transport: those of gRPC, of HTTP, and of the separate health port."""

    def __init__(
        self,
        listener: socket.socket,
        certificates: Certificates | None,
        settings: PortSettings,
        *,
        http: socket.socket | None = None,
        health: socket.socket | None = None,
    ) -> None:
        """Take bound sockets, which keep their places: 0, 1 and 2. Health's is in the clear."""
        self.port = port_of(listener)
        self._sockets = [one for one in (listener, http, health) if one is not None]
        self._health = health
        self._certificates = certificates
        self._settings = settings
        self._given: Identity | None = None

    def serve(
        self,
        methods: Sequence[Method],
        *,
        headers: Sequence[str],
        health: Sequence[str],
        statuses: Statuses,
        http: HttpTerms | None = None,
        shards: int = 1,
    ) -> Transport:
        """Make the transport on these sockets; may be called once. The parameters are those of `Listener.serve`."""
        from bothends_native import transport

        listeners = [
            transport.Listener(
                _detached(one),
                is_http=place > 0,
                is_encrypted=one is not self._health,
                is_for_probes=one is self._health,
            )
            for place, one in enumerate(self._sockets)
        ]
        limits: Any = self._settings.model_copy(update={"transport_shards": shards})  # a number, which types can't tell
        responses = http.responses if http else {}
        index_of = {front: index for index, front in enumerate(responses)}
        self._transport = transport.Transport(
            listeners,
            [
                transport.Method(
                    each.name,
                    is_stream=each.is_stream,
                    is_metered=each.is_metered,
                    is_http=each.is_http,
                    words=index_of[each.front] if each.front else 0,
                    reads_any_type=each.reads_any_type,
                )
                for each in methods
            ],
            headers=headers,
            health=health,
            statuses=_by_refusal(statuses),
            limits=limits,
            max_wait=MAX_WAIT,
            responses=[_by_refusal(each) for each in responses.values()],
            http_statuses=http.statuses if http else {},
            hosts=None if http is None or http.hosts is None else _hosts(*http.hosts),
            origins=sorted(http.origins) if http else (),
            proxies=[(each.network_address.packed, each.prefixlen) for each in self._settings.proxies],
        )
        self.renew()
        return self._transport

    def renew(self) -> None:
        """Use the newest certificate for new connections."""
        if self._certificates is not None and (newest := self._certificates.newest) is not self._given:
            self._given = newest
            self._transport.set_certificates(newest.certificate, newest.key, newest.client_ca)

    def close(self) -> None:
        """Close the ports."""
        for one in self._sockets:
            one.close()


def _detached(listener: socket.socket) -> int:
    listener.setblocking(False)
    return listener.detach()


def _hosts(names: Collection[str], takes_addresses: bool) -> "Hosts":
    from bothends_native.transport import Hosts

    return Hosts(sorted(names), takes_addresses=takes_addresses)


def _by_refusal(words: Mapping[Reason, Any]) -> dict[Any, Any]:
    """Return them by C++'s names, which are the same."""
    from bothends_native.transport import Refusal

    return {Refusal[reason.name]: said for reason, said in words.items()}
