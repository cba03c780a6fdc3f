"""Settings to bound ports: gRPC's server, with what bounds its connections, and HTTP's socket.

Knows no service, no model and no page: nothing is answered yet when ports are bound.
"""

import ipaddress
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from ..errors import StartupError
from ..settings import GrpcSettings, PortSettings, flag
from .tls import Certificates

_log = logging.getLogger(__name__)
_OTHER_THREADS = 4
"""Threads of gRPC's own server: they answer health's checks and KServe's probes."""
_PEER_ANSWERS_S = 20
"""Seconds after which a peer that hasn't answered a ping is taken to be gone."""
_PING_STRIKES = 2
"""Pings that may come too early before their connection is closed."""


class Ports:
    """Both ports, bound at once: a taken one is reported before anything is loaded. Until they are used, `close`."""

    def __init__(self, settings: PortSettings) -> None:
        """Bind. Raises StartupError, also for certificates; then nothing stays bound."""
        self._settings = settings
        self.certificates = (
            Certificates(settings.tls_cert, settings.tls_key, settings.tls_client_ca, every_s=settings.reload_s)
            if settings.tls_cert and settings.tls_key
            else None
        )
        self.listener = _listener(settings.host, settings.http_port, "http_port")
        """HTTP's socket, to be closed by the server on it."""
        self.http_port: int = self.listener.getsockname()[1]
        self.grpc = _grpc_server(settings)
        """gRPC's server, to be started once its services are added."""
        try:
            self.port = self._bind_grpc()
        except StartupError:
            self.close()
            raise
        for warning in open_doors(settings, self.listener.getsockname()[0]):
            _log.warning(warning)

    def close(self) -> None:
        """Give both ports back."""
        self.listener.close()
        self.grpc.start()  # gRPC lets go of a bound port only once it has run
        self.grpc.stop(None).wait()

    def _bind_grpc(self) -> int:
        host, port = self._settings.host, self._settings.port
        with _listener(host, port, "port"):  # gRPC itself doesn't say why it can't bind
            pass
        address = f"{bracketed(host)}:{port}"
        try:
            if self.certificates is None:
                return self.grpc.add_insecure_port(address)
            return self.grpc.add_secure_port(address, self.certificates.credentials())
        except RuntimeError as error:
            raise StartupError(f"gRPC can't listen on {host}:{port}: {error}") from error


def bracketed(host: str) -> str:
    """Write the host as it stands before a port: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _grpc_server(settings: GrpcSettings) -> grpc.Server:
    return grpc.server(
        ThreadPoolExecutor(_OTHER_THREADS, "bothends-grpc"),
        options=list(_options(settings)),
    )


def _options(settings: GrpcSettings) -> Iterator[tuple[str, int]]:
    """List gRPC's names for the settings that bound connections (grpc/impl/channel_arg_names.h)."""
    yield "grpc.so_reuseport", 0  # else two servers would share a port and neither would notice
    yield "grpc.max_receive_message_length", settings.max_message_bytes
    yield "grpc.max_send_message_length", -1
    yield "grpc.max_allowed_incoming_connections", settings.max_connections
    yield "grpc.max_concurrent_streams", settings.max_connection_requests
    # It also counts calls that are over for their caller and not yet quite for us, and refuses as many new ones.
    yield "grpc.http.overload_protection", 0
    # gRPC's own line, of calls that weren't looked at yet, holds as many as may be in progress; what is over it is
    # dropped there, for a fraction of what refusing it here would cost (docs/decisions/0009).
    yield "grpc.server.max_pending_requests", settings.max_concurrent_requests
    yield "grpc.server.max_pending_requests_hard_limit", settings.max_concurrent_requests + 1
    # A smaller soft limit would refuse some calls by chance between it and the hard one.
    yield "grpc.max_metadata_size", settings.max_header_bytes
    yield "grpc.absolute_max_metadata_size", settings.max_header_bytes
    yield "grpc.server_handshake_timeout_ms", _ms(settings.handshake_s)
    if settings.idle_s:
        yield "grpc.max_connection_idle_ms", _ms(settings.idle_s)
    if settings.age_s:
        yield "grpc.max_connection_age_ms", _ms(settings.age_s)
        yield "grpc.max_connection_age_grace_ms", _ms(settings.age_grace_s)
    yield "grpc.keepalive_time_ms", _ms(settings.keepalive_s)
    yield "grpc.keepalive_timeout_ms", _ms(_PEER_ANSWERS_S)
    yield "grpc.keepalive_permit_without_calls", 1
    yield "grpc.http2.min_ping_interval_without_data_ms", round(settings.min_ping_s * 1000)
    yield "grpc.http2.max_ping_strikes", _PING_STRIKES


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def open_doors(settings: PortSettings, bound_to: str) -> Iterator[str]:
    """List what is open, why it matters and what to do, where other than this machine's own programs reach the port."""
    if _is_loopback(settings.published_at or bound_to):
        return
    place = f"{settings.published_at or settings.host} is reachable from outside"
    if not settings.tls_cert:
        yield f"{place} without TLS: sentences and keys can be read on their way; set --tls-cert"
    if not settings.api_keys and not settings.tls_client_ca:
        yield f"{place} without API keys: whoever reaches it may call; set --api-keys"


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _listener(host: str, port: int, setting: str) -> socket.socket:
    """Bind a socket. Raises StartupError that says why it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By this protocol asyncio knows the connections that must not hold back an answer's end for 40 ms (Nagle).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, TypeError, UnicodeError) as error:  # the last two for a host that is no name
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "no such host"
        raise StartupError(
            f"can't listen on {host}:{port}: {reason}; choose another {flag(setting)} or --host"
        ) from error
    return listener
