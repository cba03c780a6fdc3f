"""h11's parser of requests, made stricter: what proxies may read in two ways is refused, headers and chunks have
bounds.
"""

import re
from http import HTTPStatus
from typing import Any, NoReturn

import h11

_MOST_CHUNKS = 2048
"""Chunks of one body. Each takes as long to read as a small request, however few bytes it has."""
_HEAD_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\n[ \t]")


class StrictH11(h11.Connection):
    """h11's parser, which refuses what it would take, or takes for something else than others do."""

    def __init__(self, most_header_bytes: int) -> None:
        """Bound the bytes of headers, which h11 itself does only where they haven't come whole."""
        super().__init__(h11.SERVER, most_header_bytes)
        self._most_header_bytes = most_header_bytes
        self._chunks = 0
        self.refused: tuple[int, str] | None = None
        """Status and reason of a refusal, where "malformed" doesn't say it."""

    def next_event(self) -> Any:
        """Return the next event. Raises h11.RemoteProtocolError."""
        came = self.trailing_data[0] if self.their_state is h11.IDLE else b""
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                self._refuse_headers()
            raise
        if isinstance(event, h11.Request):
            self._check(event, came)
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_end
            if self._chunks > _MOST_CHUNKS:
                self._refuse(400, f"the body comes in more than {_MOST_CHUNKS} chunks; send larger ones, or its length")
        return event

    def _check(self, request: h11.Request, came: bytes) -> None:
        """Refuse a request whose head, with which `came` begins, isn't as it must be."""
        self._chunks = 0
        if sum(len(name) + len(value) for name, value in request.headers) > self._most_header_bytes:
            self._refuse_headers()
        if not request.http_version.startswith(b"1."):
            self._refuse(505, f"HTTP/{request.http_version.decode('ascii')} isn't spoken here; send HTTP/1.1")
        names = {name for name, _ in request.headers}
        if b"transfer-encoding" in names:  # RFC 9112, section 6.1: else a proxy may find another end of the body
            if b"content-length" in names:
                self._refuse(400, "a request has a Content-Length or a Transfer-Encoding, not both")
            if request.http_version == b"1.0":
                self._refuse(400, "a request of HTTP/1.0 has no Transfer-Encoding")
        end = _HEAD_END.search(came)
        if _FOLD.search(came, 0, end.start() + 1 if end else len(came)):  # RFC 9112, section 5.2
            self._refuse(400, "a header goes on in a second line; send each in one")

    def _refuse_headers(self) -> NoReturn:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self._refuse(status, f"the headers have more than {self._most_header_bytes} bytes; send fewer")

    def _refuse(self, status: int, reason: str) -> NoReturn:
        self.refused = (status, reason)
        raise h11.RemoteProtocolError(reason, error_status_hint=status)
