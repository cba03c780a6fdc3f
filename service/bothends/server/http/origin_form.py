"""ASGI middleware that accepts request targets in absolute form, as HTTP/1.1 servers must (RFC 9112, section 3.2.2)."""

import re
from urllib.parse import unquote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


class OriginForm:
    """ASGI application that always sees a path: an absolute target is cut to its path, and its authority becomes the
    Host.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Have `app` answer."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say 400 where such a target names no host."""
        found = _ABSOLUTE.fullmatch(scope["raw_path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        authority, rest = found.groups()
        if not authority.partition(b":")[0] or b"@" in authority:
            words = "a target that begins with http:// goes on with a host, and no user"
            await PlainTextResponse(words, 400, {"connection": "close"})(scope, receive, send)
            return
        raw_path = rest if rest.startswith(b"/") else b"/" + rest
        headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
        asked = {"path": unquote(raw_path.decode("ascii")), "raw_path": raw_path}
        await self._app({**scope, **asked, "headers": [*headers, (b"host", authority)]}, receive, send)
