"""ASGI middleware that answers only those who ask for this server by a name of its own.

A site can have its name lead to a visitor's own machine (DNS rebinding). The visitor's browser then takes what listens
there for that site, and lets its scripts ask and read. Only the Host and the Origin that it sends tell it apart.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ...settings import PortSettings
from ...text import printable
from ..sockets import is_loopback

_SHOWN_CHARS = 64


def guarded(app: ASGIApp, settings: PortSettings, bound_to: str) -> ASGIApp:
    """Return an application that answers for known hosts alone; `app` itself where `settings` leave none out.

    Those of a server that only its own machine reaches, `bound_to` a loopback address, are that machine's names.
    """
    is_local = is_loopback(bound_to)
    names = settings.allowed_host_names
    return KnownHosts(app, names, takes_addresses=not is_local) if is_local or names else app


class KnownHosts:
    """Application that refuses requests for other hosts, and requests for work that another site's page sends."""

    def __init__(self, app: ASGIApp, names: Collection[str], *, takes_addresses: bool) -> None:
        """Answer for `names` and this machine's own; where it `takes_addresses`, for each IP address too.

        Nobody can have an address lead elsewhere: probes and machines of a network ask by it.
        """
        self._app = app
        self._names = names
        self._takes_addresses = takes_addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say why not."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host"), headers.get("origin")
        name = None if host is None else _name(f"//{host}")
        if host and not self._is_known(name):  # a caller of HTTP/1.0 may have none; no browser is one
            code, what = 421, f"for the host {_shown(host)}"
        elif scope["method"] == "POST" and origin is not None and not self._may_send(_name(origin), name):
            code, what = 403, f"by pages of {_shown(origin)}"
        else:
            await self._app(scope, receive, send)
            return
        message = f"this server isn't asked {what}; --allowed-hosts names those that it is"
        await JSONResponse({"error": {"message": message, "code": code}}, code)(scope, receive, send)

    def _is_known(self, name: str | None) -> bool:
        if name is None:
            return False
        is_own = is_loopback(name) or name.endswith(".localhost") or name in self._names
        return is_own or (self._takes_addresses and _is_address(name))

    def _may_send(self, origin: str | None, host: str | None) -> bool:
        """Return True for a page of this server, or of a host that is known by its name."""
        return origin is not None and (origin == host or is_loopback(origin) or origin in self._names)


def _name(url: str) -> str | None:
    """Return the host of a URL in lower case, without port and brackets; None where it has none."""
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
