"""Interfaces between HTTP requests and the code that answers them: an HTTP transport, and a server of it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ...batching.request import Ticket
from ..thread_times import ThreadTimes

ADMITTED = "bothends.admission"
"""Extension of the scope of a request that its transport has let in: an `Admission`."""
CALLER = "bothends.caller"
"""Extension of the scope of a request whose transport knows who calls: a `Caller`."""
ACCOUNT = "bothends.account"
"""Extension of the scope of a request whose transport has turns: an `Account`."""
Headers = Sequence[tuple[bytes, bytes]]
"""Names, in lower case, and values."""


class Admission(NamedTuple):
    """What a transport knows about a request that it has admitted: its key was checked, and it holds a slot."""

    arrived: float
    """Time (by `time.monotonic`) at which it arrived."""
    deadline: float | None
    """Time (by `time.monotonic`) at which its caller stops waiting; None if never."""
    key: bytes | None
    """SHA-256 of its key as `keys.digest` computes it; None if it has none."""


class HttpRequest(Protocol):
    """HTTP request that a transport leaves to the application."""

    @property
    def id(self) -> int:
        """Id of the request. Ids are never reused."""

    @property
    def listener(self) -> int:
        """Index of its listener in the list that the transport was given."""

    @property
    def method(self) -> int | None:
        """Index of its method in the list that the transport was given; None for an unknown method."""

    @property
    def verb(self) -> str:
        """HTTP method, such as `GET` or `POST`."""

    @property
    def target(self) -> bytes:
        """Path and query, as received."""

    @property
    def version(self) -> str:
        """HTTP version: `1.0`, `1.1` or `2`."""

    @property
    def headers(self) -> Headers:
        """All headers that came; over HTTP/2 they include a `host`."""

    @property
    def body(self) -> bytes:
        """Body as received so far."""

    @property
    def is_whole(self) -> bool:
        """True if the body is complete; False if it is too large or didn't arrive in time."""

    @property
    def peer(self) -> tuple[str, int]:
        """Address and port of the caller."""

    @property
    def is_encrypted(self) -> bool:
        """True if the connection uses TLS."""

    @property
    def key(self) -> bytes:
        """SHA-256 of its key if it came with a known one; empty otherwise."""

    @property
    def caller(self) -> int:
        """Number of its key, or without a known key of its connection; used for fair queueing."""

    @property
    def network(self) -> int:
        """Number of its caller's network."""

    @property
    def arrived(self) -> float:
        """Time (by `time.monotonic`) at which it arrived."""

    @property
    def deadline(self) -> float | None:
        """Time (by `time.monotonic`) at which its caller stops waiting; None if never."""


class Requests(Protocol):
    """Result of one `take_requests`: new requests, and earlier ones that have ended."""

    @property
    def requests(self) -> Sequence[HttpRequest]:
        """Requests, in the order of their arrival."""

    @property
    def over(self) -> Sequence[int]:
        """Ids of requests taken earlier whose caller has left or was told that the deadline has passed."""


class Account(Ticket, Protocol):
    """What is spent on a request, for its caller's turns, in which it has a place."""

    times: ThreadTimes
    """What threads use for it."""

    def charge(self, seconds: float) -> None:
        """Count `seconds` of a core against the caller's turns, until the request is over."""


class HttpTransport(Protocol):
    """Server side of HTTP: it talks to callers and leaves requests to an application.

    Any thread may call its methods.
    """

    def take_requests(self) -> Requests | None:
        """Return the requests that have arrived, without waiting; None once the transport has stopped."""

    def requests_descriptor(self) -> int:
        """Return a file descriptor that is readable while `take_requests` has something to return."""
        ...

    def respond(self, id: int, status: int, headers: Headers, body: bytes, spent: float = 0.0) -> bool:  # noqa: A002  the transport's name
        """Send a complete response, and charge its caller with what was `spent`, as by `charge`; returns False if the
        caller has left.

        The transport adds the headers that all responses have: content-length, date, connection and
        x-content-type-options.
        """
        ...

    def charge(self, id: int, seconds: float) -> None:  # noqa: A002  the transport's name
        """Count `seconds` of a core that were spent on a request against its caller's turns, until it is answered."""

    def figures(self) -> Mapping[str, float]:
        """Return the transport's own measurements by name, `http_connections` among them."""
        ...


class WebServer(Protocol):
    """HTTP server on a port."""

    @property
    def connections(self) -> int:
        """Number of open connections."""
        ...

    def start(self) -> None:
        """Start to serve; returns once requests are accepted. Raises StartupError."""

    def stop(self, grace_s: float) -> bool:
        """Stop, after at most `grace_s` seconds for answers in progress; returns True if all were sent."""
        ...
