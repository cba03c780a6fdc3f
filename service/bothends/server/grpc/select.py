"""Chooses the transport according to the settings, and binds gRPC's port."""

import socket

from ...engines import native
from ...engines.native_parts import remedy
from ...errors import StartupError
from ...native_version import misfit
from ...settings import GrpcSettings, PortSettings
from ..sockets import bound, shown
from ..tls import Certificates
from ..usage import CreateUsage, LocalUsage
from .contract import Listener, TransportName


def select(settings: GrpcSettings) -> TransportName:
    """Return the name of the transport to use.

    Raises StartupError if the one that the settings name isn't available.
    """
    if settings.transport == "grpcio":
        return "grpcio"
    if (why := misfit() or _why_not_loaded()) is None:
        return "native"
    if settings.transport == "native":
        lacks = remedy("transport" if native.is_built() else "engine")
        raise StartupError(f"--transport native: {why}. To have it: {lacks}")
    return "grpcio"


def _why_not_loaded() -> str | None:
    """Load the native transport, or say why it can't be."""
    try:
        import bothends_native.transport  # noqa: F401
    except ImportError as error:
        return str(error)
    return None


def usage_of(transport: TransportName) -> CreateUsage:
    """Return the factory of the objects that count a key's quota; the native one also counts what C++ answers."""
    if transport == "native":
        from bothends_native.transport import Usage

        return Usage
    return LocalUsage


def listen(
    transport: TransportName,
    settings: PortSettings,
    certificates: Certificates | None,
    *,
    http: socket.socket | None = None,
    health: socket.socket | None = None,
) -> Listener:
    """Bind gRPC's port for `transport`, with the `certificates` of its connections (None: no TLS). The native one also
    takes over the sockets of `http` and of the separate `health` port.

    Raises StartupError that says why a port can't be bound.
    """
    listener = bound(settings.host, settings.port, "port")
    if transport == "native":
        from .native.listener import NativeListener

        return NativeListener(listener, certificates, settings, http=http, health=health)
    from .grpcio.credentials import credentials
    from .grpcio.transport import GrpcioListener

    listener.close()  # grpcio binds by itself, but doesn't say why it can't
    address = shown(settings.host, settings.port, "port")
    return GrpcioListener(address, None if certificates is None else credentials(certificates), settings)
