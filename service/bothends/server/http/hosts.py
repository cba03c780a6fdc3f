"""ASGI middleware that answers only requests for the server's own host names.

A website can make its name resolve to the visitor's own machine (DNS rebinding). The visitor's browser then takes a
local server for that site, and lets the site's scripts send requests and read answers. Only the Host and Origin headers
show the difference.
"""

import ipaddress
from collections.abc import Collection
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ...settings import PortSettings
from ...text import printable
from ..sockets import is_loopback

_SHOWN_CHARS = 64


class Hosts(NamedTuple):
    """Host names by which a server may be addressed, besides its machine's own."""

    names: frozenset[str]
    takes_addresses: bool
    """True if each IP address is accepted too. An address can't be made to lead elsewhere, and probes and local
    machines use it."""

    @classmethod
    def of(cls, settings: PortSettings, bound_to: str) -> Self | None:
        """Return the host names that `settings` allow; None if all are allowed. `bound_to` is the address that the
        server listens on: if it is a loopback address, its machine's own names are allowed.
        """
        is_local = is_loopback(bound_to)
        names = settings.allowed_host_names
        return cls(names, not is_local) if is_local or names else None

    def knows(self, name: str | None) -> bool:
        """Return True for a host name of this server, in lower case, without port and brackets."""
        if name is None:
            return False
        is_own = is_loopback(name) or name.endswith(".localhost") or name in self.names
        return is_own or (self.takes_addresses and _is_address(name))


def guarded(app: ASGIApp, hosts: Hosts | None, origins: Collection[str] = ()) -> ASGIApp:
    """Return an application that answers only for the known hosts; `app` itself if `hosts` is None.

    `origins` are of other hosts, and their pages may have work done; `*` is all of them.
    """
    return app if hosts is None else KnownHosts(app, hosts, origins)


def is_of_own_page(headers: Headers) -> bool:
    """Return True unless a browser sends the request for a page that isn't of the host that it asks."""
    host, origin = headers.get("host"), headers.get("origin")
    return origin is None or (host is not None and (name := _name(origin)) is not None and name == _name(f"//{host}"))


class KnownHosts:
    """ASGI application that refuses requests for unknown hosts, and requests for work that come from another site's
    page.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, origins: Collection[str] = ()) -> None:
        """Answer for `hosts`, and pages of other hosts' `origins`."""
        self._app = app
        self._hosts = hosts
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say why not."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host"), headers.get("origin")
        name = None if host is None else _name(f"//{host}")
        if host and not self._hosts.knows(name):  # a caller of HTTP/1.0 may have none; no browser is one
            code, what = 421, f"for the host {_shown(host)}"
        elif scope["method"] == "POST" and origin is not None and not self._may_send(origin, name):
            code, what = 403, f"by pages of {_shown(origin)}"
        else:
            await self._app(scope, receive, send)
            return
        message = f"this server isn't asked {what}; --allowed-hosts names those that it is"
        await JSONResponse({"error": {"message": message, "code": code}}, code)(scope, receive, send)

    def _may_send(self, origin: str, host: str | None) -> bool:
        """Return True for a page of this server, of a host that is known by its name, or of an origin that may call."""
        if not self._origins.isdisjoint((origin, "*")):
            return True
        page = _name(origin)
        return page is not None and (page == host or is_loopback(page) or page in self._hosts.names)


def _name(url: str) -> str | None:
    """Return the host of a URL in lower case, without port and brackets; None if it has none."""
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return None
    return name.removesuffix(".") if name else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _shown(given: str) -> str:
    return repr(printable(given)[:_SHOWN_CHARS])
