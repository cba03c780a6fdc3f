"""Reads the JSON body of an HTTP request within bounds, or says why it isn't read."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request

JSON = "application/json"


_SHORT_BYTES = 1 << 16
"""Bytes of a body that are read without waiting for a turn."""
_A_ROUND = 2
"""Parts of long bodies that are read in one round of the event loop, which serves probes between two."""


class Turns:
    """Turns of long bodies at being read. Who doesn't have one sends no more: TCP holds what comes back."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_A_ROUND)

    async def one(self) -> None:
        """Wait for a turn, and for the round that follows it."""
        async with self._turns:
            await asyncio.sleep(0)


class UnfitError(Exception):
    """Error for which HTTP itself has a status, `code`; `message` is one line for a person."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def read_json(request: Request, *, most: int, turns: Turns, count: Callable[[int], None]) -> bytes:
    """Read at most so many bytes, calling `count` with those that come; more aren't read where they are announced.

    Raises UnfitError, or ClientDisconnect where the caller left.
    """
    _check_kind(request)
    if int(request.headers.get("content-length", 0)) > most:
        raise _too_large(most)
    body = bytearray()  # many small parts, kept, would leave holes in memory that never go back to the system
    async for part in request.stream():
        if len(body) + len(part) > most:
            raise _too_large(most)
        count(len(part))
        body += part
        if len(body) > _SHORT_BYTES:
            await turns.one()
    return bytes(body)


def _check_kind(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        found = f"the content-type is {kind[:80]!r}" if kind else "there is no content-type"
        raise UnfitError(415, f"{found}; send {JSON}")
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise UnfitError(415, f"the content-encoding {encoding[:80]!r} isn't known here; send the JSON as it is")


def _too_large(most: int) -> UnfitError:
    return UnfitError(413, f"the request's body has more than this server's limit of {most} bytes")
