"""Whose HTTP request it is, and 401 for who shows no key that the server knows. Knows no page."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...errors import UnauthenticatedError
from ..keys import Keys
from ..quota import Account


def who_calls(request: Request, keys: Keys | None) -> Account | None:
    """The account of the key in `authorization: Bearer KEY`, or UnauthenticatedError; None where nobody is asked."""
    return None if keys is None else keys.identify(request.headers.get("authorization"))


async def _refuse(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 401, headers={"WWW-Authenticate": "Bearer"})


UNAUTHENTICATED: dict[Any, Callable[[Request, Exception], Any]] = {UnauthenticatedError: _refuse}
"""Of a Starlette application's `exception_handlers`: lets its pages raise UnauthenticatedError."""
