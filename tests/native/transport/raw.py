"""A caller by hyper-h2, which says what grpcio wouldn't."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    PingAckReceived,
    PingReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes

from tests.support.until import TIMEOUT_S

ECHO = "/t.T/Echo"
"""Path of calls that don't name another."""
Headers = Iterable[tuple[str, str]]


def framed(*contents: bytes, flag: int = 0) -> bytes:
    """gRPC messages with their prefixes."""
    return b"".join(bytes([flag]) + len(content).to_bytes(4, "big") + content for content in contents)


@dataclass
class Response:
    """Response to one call, as far as it has come."""

    informed: list[str] = field(default_factory=list)
    """Statuses that came before its headers."""
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    content: bytes | bytearray = field(default_factory=bytearray)
    reset: int | None = None
    is_over: bool = False

    @property
    def status(self) -> str | None:
        """The code, of trailers or of a response that has nothing else."""
        return self.trailers.get("grpc-status") or self.headers.get("grpc-status")

    @property
    def message(self) -> str | None:
        return self.trailers.get("grpc-message") or self.headers.get("grpc-message")


class Raw:
    """One connection. `reads` says whether what comes is acknowledged, so that more may come."""

    def __init__(
        self,
        port: int | str,
        *,
        reads: bool = True,
        window: int | None = None,
        receives: int | None = None,
        source: str | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(port, str) else socket.AF_INET)
        if receives is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        if source is not None:
            self.socket.bind((source, 0))
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(port if isinstance(port, str) else ("127.0.0.1", port))
        if not isinstance(port, str):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a second frame waits for an ACK
        if context:
            plain = self.socket
            try:
                self.socket = context.wrap_socket(plain, server_hostname="localhost")
            except OSError:
                plain.close()
                raise
        self.reads = reads
        self.http = H2Connection(
            H2Configuration(header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self.responses: dict[int, Response] = {}
        self.goaway: tuple[int, bytes] | None = None
        self.pings = 0
        """Its pings that were answered."""
        self.pinged = 0
        """Times that it was asked whether it lives."""
        self.sent = 0
        """Bytes that were to be sent, TLS aside."""
        self.is_ready = False
        self._unparsed = b""
        self.http.initiate_connection()
        if window is not None:
            self.http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.flush()
        try:
            self.wait(lambda: self.is_ready)
        except AssertionError:
            self.socket.close()
            raise

    def call(
        self, path: str = ECHO, content: bytes | None = None, *, ends: bool = True, headers: Headers = ()
    ) -> Response:
        """Begin a call, and send `content`, which has its prefixes."""
        stream = self.http.get_next_available_stream_id()
        usual = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "here", "te": "trailers"}
        usual["content-type"] = "application/grpc"
        extra = list(headers)
        kept = [(name, value) for name, value in usual.items() if name not in dict(extra)]
        pseudo = [pair for pair in extra if pair[0].startswith(":")]
        named = [pair for pair in extra if not pair[0].startswith(":")]
        self.http.send_headers(stream, [*pseudo, *kept, *named], end_stream=content is None and ends)
        response = self.responses[stream] = Response()
        if content is not None:
            self.send(response, content, ends=ends)
        self.flush()
        return response

    def echo(self, content: bytes, *, ends: bool = True) -> Response:
        return self.call(ECHO, framed(content), ends=ends)

    def stream_of(self, response: Response) -> int:
        return next(stream for stream, other in self.responses.items() if other is response)

    def send(self, response: Response, content: bytes, *, ends: bool = False) -> None:
        """Send bytes of a call's request as windows allow."""
        stream = self.stream_of(response)
        while content:
            self.wait(lambda: self.http.local_flow_control_window(stream) > 0 or response.is_over)
            if response.is_over:
                return
            size = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size, len(content))
            piece, content = content[:size], content[size:]
            self.http.send_data(stream, piece, end_stream=ends and not content)
            self.flush()

    def reset(self, response: Response) -> None:
        self.http.reset_stream(self.stream_of(response), error_code=8)
        self.flush()

    def go_on(self) -> None:
        """Have hyper-h2 read on after a GOAWAY, as it should: open calls are still answered."""
        self.http.state_machine.state = ConnectionState.CLIENT_OPEN

    def flush(self) -> None:
        # It may have been closed, as is the server's right: what it said before is still to be read.
        with contextlib.suppress(ConnectionError):
            content = self.http.data_to_send()
            self.sent += len(content)
            self.socket.sendall(content)

    def wait(self, condition: Callable[[], object]) -> None:
        """Read until it is so. Raises AssertionError where the connection ends before."""
        while not condition():
            assert self.read(), f"closed; {self.goaway}"

    def over(self, *responses: Response) -> None:
        self.wait(lambda: all(response.is_over for response in responses))

    def drain(self) -> None:
        """Read to the end."""
        while self.read():
            pass

    def read(self) -> bool:
        """Read once; False at the end."""
        try:
            content = self.socket.recv(1 << 16)
        except ConnectionError:
            content = b""
        self._unparsed += content
        while len(self._unparsed) >= 9 and len(self._unparsed) >= (
            size := 9 + int.from_bytes(self._unparsed[:3], "big")
        ):
            frame, self._unparsed = self._unparsed[:size], self._unparsed[size:]
            for event in self.http.receive_data(frame):
                self._note(event)
        self.flush()
        return bool(content)

    def _note(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged():
                self.is_ready = True
            case ConnectionTerminated(error_code=int(code), additional_data=words):
                self.goaway = (int(code), words or b"")
                self.go_on()
            case PingAckReceived():
                self.pings += 1
            case PingReceived():
                self.pinged += 1
            case _:
                self._note_of_call(event)

    def _note_of_call(self, event: Event) -> None:
        match event:
            case InformationalResponseReceived(stream_id=stream, headers=headers):
                self.responses[stream].informed.append(decoded(headers)[":status"])
            case ResponseReceived(stream_id=stream, headers=headers):
                self.responses[stream].headers = decoded(headers)
            case TrailersReceived(stream_id=stream, headers=headers):
                self.responses[stream].trailers = decoded(headers)
            case DataReceived(stream_id=stream, data=data, flow_controlled_length=size):
                self.responses[stream].content += data or b""
                if self.reads and size:
                    self.http.acknowledge_received_data(size, stream)
            case StreamReset(stream_id=stream, error_code=code):
                self.responses[stream].reset, self.responses[stream].is_over = int(code), True
            case StreamEnded(stream_id=stream):
                self.responses[stream].is_over = True

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def decoded(headers: Any) -> dict[str, str]:
    """Headers as strings, which hyper-h2's types don't know that it was asked for."""
    return dict(headers)


@contextlib.contextmanager
def several(port: int, connections: int, **options: Any) -> Iterator[list[Raw]]:
    """Connect so many callers, each with these `options` of Raw's, and close them at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Raw(port, **options)) for _ in range(connections)]
