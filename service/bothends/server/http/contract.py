"""The interfaces between HTTP's requests and whoever serves them: a transport that speaks HTTP, and a server of it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

ADMITTED = "bothends.admission"
"""Extension of the scope of a request that its transport has let in: an `Admission`."""
CALLER = "bothends.caller"
"""Extension of the scope of a request whose transport knows who calls: a `Caller`."""
Headers = Sequence[tuple[bytes, bytes]]
"""Names, in lower case, and values."""


class Admission(NamedTuple):
    """What a transport knows of a request that it has let in: its key was checked, and it has its slot."""

    arrived: float
    """Time of `time.monotonic` at which it came."""
    deadline: float | None
    """Time of `time.monotonic` at which its caller stops waiting; None for never."""
    key: bytes | None
    """SHA-256 of its key, as keys.py has it; None where none came."""


class HttpRequest(Protocol):
    """A request for the application."""

    @property
    def id(self) -> int:
        """Never used again."""

    @property
    def listener(self) -> int:
        """Place of its listener among those that the transport was given."""

    @property
    def method(self) -> int | None:
        """Place of its method among those that the transport was given; None where it is none of them."""

    @property
    def verb(self) -> str:
        """`GET`, `POST` and their like."""

    @property
    def target(self) -> bytes:
        """Path and query, as they came."""

    @property
    def version(self) -> str:
        """`1.0`, `1.1` or `2`."""

    @property
    def headers(self) -> Headers:
        """All that came; over HTTP/2 with a `host`."""

    @property
    def body(self) -> bytes:
        """What has come, as it came."""

    @property
    def is_whole(self) -> bool:
        """False where the body is larger than it may be, or didn't come in time."""

    @property
    def peer(self) -> tuple[str, int]:
        """Address and port of the caller."""

    @property
    def is_encrypted(self) -> bool:
        """True over TLS."""

    @property
    def key(self) -> bytes:
        """SHA-256 of its key, where one came that is known; else empty."""

    @property
    def caller(self) -> int:
        """Number of its connection, or of its key where one is known."""

    @property
    def network(self) -> int:
        """Number of the network that its caller is in."""

    @property
    def arrived(self) -> float:
        """Time of `time.monotonic` at which it came."""

    @property
    def deadline(self) -> float | None:
        """Time of `time.monotonic` at which its caller stops waiting; None for never."""


class Requests(Protocol):
    """What was taken at once."""

    @property
    def requests(self) -> Sequence[HttpRequest]:
        """In the order in which they came."""

    @property
    def over(self) -> Sequence[int]:
        """Ids of requests taken before whose caller has left, or was told that its time is over."""


class HttpTransport(Protocol):
    """Speaker of HTTP with callers, which leaves requests to an application. Any thread may call its methods."""

    def take_requests(self) -> Requests | None:
        """Return what has come, at once; None once the transport has stopped."""

    def requests_descriptor(self) -> int:
        """Return a file descriptor that can be read while `take_requests` has something."""
        ...

    def respond(self, id: int, status: int, headers: Headers, body: bytes) -> bool:  # noqa: A002  the transport's name
        """Send a response whole; returns False where its caller has left.

        What all responses have is the transport's: their length, date and connection, and `nosniff`.
        """
        ...

    def figures(self) -> Mapping[str, float]:
        """Return what the transport counts of itself, by name: `http_connections` among it."""
        ...


class WebServer(Protocol):
    """Server of HTTP on a port."""

    @property
    def connections(self) -> int:
        """Number of open connections."""
        ...

    def start(self) -> None:
        """Serve; returns once requests are taken. Raises StartupError."""

    def stop(self, grace_s: float) -> bool:
        """Stop, after at most `grace_s` for answers that are on their way; returns True if none was left."""
        ...
