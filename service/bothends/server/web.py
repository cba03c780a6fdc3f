"""Makes the HTTP servers over bound ports: over the native transport's requests, or uvicorn if that isn't available."""

from typing import cast

from starlette.types import ASGIApp

from ..settings import HttpSettings
from .grpc.contract import Transport
from .http.contract import HttpTransport, WebServer
from .http.native import NativeWebServer
from .ports import Ports

_HTTP, _HEALTH = 1, 2
"""Places of the native transport's listeners: gRPC's is the first."""


def web_servers(
    ports: Ports, transport: Transport, settings: HttpSettings, *, pages: ASGIApp, probes: ASGIApp
) -> list[WebServer]:
    """Make the server of `pages` on HTTP's port, and of `probes` on health's own port if there is one."""
    if ports.transport == "native":
        return [NativeWebServer(cast("HttpTransport", transport), {_HTTP: pages, _HEALTH: probes})]
    from .http.uvicorn_server import UvicornServer  # which takes time to import

    servers: list[WebServer] = [UvicornServer(pages, ports.http, settings, ports.certificates)]
    if ports.health is not None:
        servers.append(UvicornServer(probes, ports.health, settings, None, name="bothends-health"))
    return servers
