"""Reads the JSON body of an HTTP request within bounds, or reports why it isn't read."""

import asyncio
import zlib
from collections.abc import Callable

from starlette.requests import Request

from .failure import JSON, UnfitError, inflates_too_far, no_gzip, too_large, unknown_encoding
from .hosts import is_of_own_page

_SHORT_BYTES = 1 << 16
"""Bytes of a body that are read without waiting for a turn; and those that are inflated in one."""
_A_ROUND = 2
"""Parts of long bodies that are read in one round of the event loop, which serves probes between two."""
_GZIP = 16 + zlib.MAX_WBITS


class BodyTurns:
    """Turns for reading long bodies. While a connection has no turn, its body isn't read, and TCP stops the sender."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_A_ROUND)

    async def one(self) -> None:
        """Wait for a turn to read a piece of a body, and for the event loop's next round."""
        async with self._turns:
            await asyncio.sleep(0)


async def read_json(
    request: Request,
    *,
    max_bytes: int,
    max_inflated: int,
    turns: BodyTurns,
    count: Callable[[int], None],
    of_any_type: bool = False,
) -> bytes:
    """Read a body of at most `max_bytes` bytes, and call `count` with the size of each part as it arrives.

    A body whose content-length is larger isn't read at all. A gzip body may become at most `max_inflated` bytes; 0
    refuses gzip. With `of_any_type` its content-type may be anything, unless a page of another site sends it. Raises
    UnfitError, or ClientDisconnect if the caller left.
    """
    is_compressed = _check_kind(request, takes_gzip=max_inflated > 0, of_any_type=of_any_type)
    if int(request.headers.get("content-length", 0)) > max_bytes:
        raise too_large(max_bytes)
    body = bytearray()  # many small parts, kept, would leave holes in memory that never go back to the system
    async for part in request.stream():
        if len(body) + len(part) > max_bytes:
            raise too_large(max_bytes)
        count(len(part))
        body += part
        if len(body) > _SHORT_BYTES:
            await turns.one()
    return await _inflated(bytes(body), max_inflated, turns, count) if is_compressed else bytes(body)


async def _inflated(content: bytes, max_bytes: int, turns: BodyTurns, count: Callable[[int], None]) -> bytes:
    """Inflate one gzip member, some of it in each turn, since a kilobyte may become a thousand. Raises UnfitError."""
    inflating, found = zlib.decompressobj(_GZIP), bytearray()
    while not inflating.eof:
        try:
            part = inflating.decompress(content, _SHORT_BYTES)
        except zlib.error:
            raise no_gzip() from None
        content = inflating.unconsumed_tail
        if not part and not content and not inflating.eof:
            raise no_gzip()  # it breaks off
        if len(found) + len(part) > max_bytes:
            raise inflates_too_far(max_bytes)
        count(len(part))
        found += part
        if len(found) > _SHORT_BYTES:
            await turns.one()
    if inflating.unused_data:
        raise no_gzip()
    return bytes(found)


def _check_kind(request: Request, *, takes_gzip: bool, of_any_type: bool) -> bool:
    """Return True for a compressed body. Raises UnfitError for one that is no JSON.

    A browser asks a server first before it sends JSON to it for another site's page, and sends other types unasked.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON and not (of_any_type and is_of_own_page(request.headers)):
        found = f"the content-type is {kind[:80]!r}" if kind else "there is no content-type"
        raise UnfitError(415, f"{found}; send {JSON}")
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return False
    if encoding != "gzip" or not takes_gzip:
        raise unknown_encoding(encoding, takes_gzip=takes_gzip)
    return True
