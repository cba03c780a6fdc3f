"""Finds the account of the key of an HTTP request for a web page, or answers 401."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...errors import UnauthenticatedError
from ..keys import Keys
from ..quota import KeyAccount


def who_calls(request: Request, keys: Keys | None) -> KeyAccount | None:
    """Return the account of the key in `authorization: Bearer KEY`; None if the server needs no keys.

    Raises UnauthenticatedError.
    """
    return None if keys is None else keys.identify(request.headers.get("authorization"))


async def _refuse(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 401, headers={"WWW-Authenticate": "Bearer"})


UNAUTHENTICATED: dict[Any, Callable[[Request, Exception], Any]] = {UnauthenticatedError: _refuse}
"""Handler for a Starlette application's `exception_handlers`: its pages may raise UnauthenticatedError."""
