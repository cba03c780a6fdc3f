"""HTTP/1.1 as a caller speaks it, who asks for one thing again and again on a connection that is kept."""

import re

from ..floods import post
from .wire import OK, Answer

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class HttpWire:
    """A wire.Wire. What was asked while an answer is awaited is sent too, as pipelining has it."""

    goes_on = False

    def __init__(self, path: str, content: bytes, headers: list[tuple[str, str]], *, keeps: bool) -> None:
        lines = [f"{name}: {value}" for name, value in headers]
        self._request = post(f"Content-Length: {len(content)}", *lines, path=path) + content
        self._keeps = keeps
        self._unsent = self._came = self._content = b""
        self._status: str | None = None
        self._missing = 0

    def ask(self) -> None:
        self._unsent += self._request

    def to_send(self) -> bytes:
        unsent, self._unsent = self._unsent, b""
        return unsent

    def receive(self, came: bytes) -> list[Answer]:
        self._came += came
        found = []
        while self._status is not None or self._reads_head():
            assert self._status is not None
            piece, self._came = self._came[: self._missing], self._came[self._missing :]
            self._missing -= len(piece)
            if self._keeps or self._status not in OK:
                self._content += piece
            if self._missing:
                break
            found.append(Answer(self._status, self._content))
            self._status, self._content = None, b""
        return found

    def _reads_head(self) -> bool:
        head, end, rest = self._came.partition(b"\r\n\r\n")
        if not end:
            return False
        length = _LENGTH.search(head)
        assert length is not None, head
        self._status, self._missing, self._came = head[9:12].decode(), int(length[1]), rest
        return True
