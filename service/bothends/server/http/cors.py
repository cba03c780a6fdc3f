"""Lets pages of other origins call the server from a browser (CORS), where the settings name these origins."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from ...settings import PortSettings

_METHODS = ("GET", "POST")
READABLE = ("inference-header-content-length", "retry-after", "retry-after-ms", "x-truncated-inputs")
"""Headers of answers that a page's script may read, besides those that every browser shows."""


def shared(app: ASGIApp, settings: PortSettings) -> ASGIApp:
    """Return an application that tells browsers which other origins' pages may call; `app` itself if none may.

    It asks for no cookies: keys come in a header, which a page has to know.
    """
    origins = sorted(settings.cors_origin_names)
    if not origins:
        return app
    return CORSMiddleware(
        app, allow_origins=origins, allow_methods=_METHODS, allow_headers=("*",), expose_headers=READABLE
    )
