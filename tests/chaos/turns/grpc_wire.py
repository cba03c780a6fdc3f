"""gRPC as a caller speaks it, who makes one call again and again; as cheap as Python allows."""

from functools import lru_cache

from hpack import Decoder
from hyperframe.frame import SettingsFrame, WindowUpdateFrame

from ..fields import unindexed
from ..hostile import HEADERS, begun, raw
from .wire import OK, Answer

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _WINDOW = 0, 1, 3, 4, 6, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_TABLE_SIZE, _INITIAL_WINDOW = 1, 4
_FRAME = 16_384
_WIDE = 1 << 30
"""Window of the answers, of a call's and of all: nobody waits for this caller."""
_USUAL_WINDOW = 65_535


class GrpcWire:
    """A wire.Wire. What the server's windows have no room for waits."""

    goes_on = False

    def __init__(self, path: str, content: bytes, headers: list[tuple[str, str]], *, keeps: bool) -> None:
        # No table of headers: the same ones are the same bytes each time, and are read once.
        settings = SettingsFrame(0, {_TABLE_SIZE: 0, _INITIAL_WINDOW: _WIDE})
        named = [(name, path if name == ":path" else value) for name, value in HEADERS]
        self._head = unindexed([*named, *headers])
        self._message = content
        self._keeps = keeps
        self._unsent = begun(settings, WindowUpdateFrame(0, window_increment=_WIDE))
        self._waiting = 0
        self._window = self._stream_window = _USUAL_WINDOW
        self._stream = -1
        self._taken = 0
        self._came = b""
        self._contents: dict[int, bytes] = {}

    def ask(self) -> None:
        self._waiting += 1

    def to_send(self) -> bytes:
        size = len(self._message)
        while self._waiting and min(self._window, self._stream_window) >= size:
            self._waiting -= 1
            self._window -= size
            self._stream += 2
            self._unsent += _call(self._stream, self._head, self._message)
        unsent, self._unsent = self._unsent, b""
        return unsent

    def receive(self, came: bytes) -> list[Answer]:
        came, found, index = self._came + came, [], 0
        while len(came) >= index + 9:
            end = index + 9 + int.from_bytes(came[index : index + 3])
            if len(came) < end:
                break
            kind, flags, stream = came[index + 3], came[index + 4], int.from_bytes(came[index + 5 : index + 9])
            answer = self._take(kind, flags, stream, came[index + 9 : end])
            if answer is not None:
                found.append(answer)
            index = end
        self._came = came[index:]
        return found

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> Answer | None:
        """Take a frame; return the answer that it ends."""
        if kind == _DATA:
            if self._keeps:
                self._contents[stream] = self._contents.get(stream, b"") + payload
            self._give_back(len(payload))
        elif kind == _HEADERS and flags & _END_STREAM:
            assert flags & _END_HEADERS
            status, words = _told(payload)
            content = self._contents.pop(stream, b"")
            return Answer(status, content if status in OK else words)
        elif kind == _RESET:
            self._contents.pop(stream, None)
            return Answer(f"reset {int.from_bytes(payload)}", b"")
        elif kind == _SETTINGS and not flags & _ACK:
            for setting in range(0, len(payload), 6):
                if int.from_bytes(payload[setting : setting + 2]) == _INITIAL_WINDOW:
                    self._stream_window = int.from_bytes(payload[setting + 2 : setting + 6])
            self._unsent += raw(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self._unsent += raw(_PING, _ACK, 0, payload)
        elif kind == _WINDOW and stream == 0:
            self._window += int.from_bytes(payload)
        return None

    def _give_back(self, size: int) -> None:
        self._taken += size
        if self._taken > _WIDE // 2:
            self._unsent += WindowUpdateFrame(0, window_increment=self._taken).serialize()
            self._taken = 0


def _call(stream: int, head: bytes, content: bytes) -> bytes:
    """Write a call's frames."""
    pieces = [content[index : index + _FRAME] for index in range(0, len(content), _FRAME)]
    data = [raw(_DATA, _END_STREAM if piece is pieces[-1] else 0, stream, piece) for piece in pieces]
    return raw(_HEADERS, _END_HEADERS, stream, head) + b"".join(data)


@lru_cache(maxsize=256)
def _told(block: bytes) -> tuple[str, bytes]:
    """Read the status and the words of a call's last headers."""
    named = {str(name): str(value) for name, value in Decoder().decode(block)}
    return named.get("grpc-status", "none"), named.get("grpc-message", "").encode()
