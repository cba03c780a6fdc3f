"""An HTTP request to the bytes of the JSON in its body, or why they aren't read. Knows no call and no front."""

from starlette.requests import Request

JSON = "application/json"


class UnfitError(Exception):
    """Error for which HTTP itself has a status, `code`; `message` is one line for a person."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def read_json(request: Request, *, most: int) -> bytes:
    """Read at most so many bytes; more aren't read where they are announced.

    Raises UnfitError, or ClientDisconnect where the caller left.
    """
    _check_kind(request)
    if int(request.headers.get("content-length", 0)) > most:
        raise _too_large(most)
    body = bytearray()  # many small parts, kept, would leave holes in memory that never go back to the system
    async for part in request.stream():
        if len(body) + len(part) > most:
            raise _too_large(most)
        body += part
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
