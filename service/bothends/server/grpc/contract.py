"""Interface between a gRPC transport, which talks to callers, and the code that answers them message by message.

A unary call has one message; a stream has a sequence of them. The transport does what needs no look at a message's
content: connections, health checks, refusals for lack of room or time, and the order of a stream's answers.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from enum import Enum, StrEnum, auto
from typing import Literal, NamedTuple, Protocol, TypeAlias

from ..usage import Usage

TransportName = Literal["native", "grpcio"]


class Status(NamedTuple):
    """gRPC status as it is sent: code, message and serialised details."""

    code: int
    message: str
    details: bytes
    """Serialised google.rpc.Status, for `grpc-status-details-bin`."""


class Reason(StrEnum):
    """Reason for which a transport refuses a call by itself; refusals.py makes the status for each.

    The native transport's `Refusal` has the same names.
    """

    no_key = auto()
    unknown_key = auto()
    full = auto()
    room = auto()
    crowded = auto()
    connections = auto()
    late = auto()
    expired = auto()
    draining = auto()
    slow = auto()
    empty = auto()
    large = auto()
    inflated = auto()
    headers = auto()
    timeout = auto()
    unknown = auto()
    malformed = auto()
    compressed = auto()
    unread = auto()
    over_rate = auto()
    over_concurrency = auto()


Statuses: TypeAlias = dict[Reason, Status]


class Response(NamedTuple):
    """HTTP response that a transport sends for a `Reason`."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    """Names, in lower case, and values."""
    body: bytes


class HttpTerms(NamedTuple):
    """Configuration of a transport that serves HTTP beside gRPC, as the native one does."""

    responses: Mapping[str, Mapping[Reason, Response]]
    """With what each reason refuses a call over HTTP, by fronts' names; the first's words are for all else, too."""
    statuses: Mapping[int, int]
    """HTTP status of each gRPC status, for calls that end otherwise; 500 of all others."""
    hosts: tuple[Collection[str], bool] | None
    """Names by which it may be asked, besides its machine's own, and whether by any IP address too; None for all."""
    origins: Collection[str] = ()
    """Origins of other hosts' pages that may read its refusals; `*` is all of them."""


class Method(NamedTuple):
    """gRPC method that a transport offers."""

    name: str
    """`/package.Service/Method`."""
    is_stream: bool = False
    is_metered: bool = True
    """False for health and other probes, which a full or draining server answers too, before all other calls."""
    is_http: bool = False
    """True for a path of HTTP's, in place of gRPC's method: calls are POSTs, probes GETs."""
    front: str = ""
    """Name of the front whose words refuse its calls, of those in `HttpTerms.responses`."""
    reads_any_type: bool = False
    """True if bodies of HTTP's are read as JSON whatever their content-type is."""


class Message(Protocol):
    """Request message that a transport has received."""

    @property
    def id(self) -> int:
        """Id of the message. Ids are never reused."""

    @property
    def method(self) -> int:
        """Index of its method in the list that the transport was given."""

    @property
    def content(self) -> bytes:
        """Serialised request."""

    @property
    def deadline(self) -> float | None:
        """Time (by `time.monotonic`) at which its caller stops waiting; None if never."""

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Headers of its call, limited to those that `Listener.serve` asked for."""

    @property
    def caller(self) -> int:
        """Number of its key, or without a known key of its connection; used for fair queueing."""

    @property
    def network(self) -> Hashable:
        """Network of its caller."""

    @property
    def arrived(self) -> float:
        """Time (by `time.monotonic`) at which its call arrived; for a message of a stream, when the message itself
        arrived.
        """

    @property
    def key(self) -> bytes:
        """SHA-256 of its call's key, which the transport has checked; empty if callers need no key."""


class Batch(Protocol):
    """Result of one `take_messages`: new messages, and earlier ones that have ended."""

    @property
    def messages(self) -> Sequence[Message]:
        """Messages that were taken, in the order of their callers' turns."""

    @property
    def over(self) -> Sequence[int]:
        """Ids of messages taken earlier whose caller has left or whose deadline has passed."""


class Ended(Protocol):
    """Group of similar calls that ended in the transport, for metrics: same method, status and reason.

    Either none of their messages was taken, or they are streams at their end.
    """

    @property
    def method(self) -> int:
        """Index of their method; negative for an unknown method."""

    @property
    def code(self) -> int:
        """gRPC status code with which the calls of this group ended."""

    @property
    def refusal(self) -> Enum | None:
        """Member with the same name as a `Reason`; None if the transport didn't refuse them."""

    @property
    def seconds(self) -> Sequence[float]:
        """Duration of each call, in seconds."""


class Transport(Protocol):
    """Server side of gRPC: it talks to callers and hands over their messages.

    Every method may be called by any thread.
    """

    def start(self) -> None:
        """Accept connections."""

    def take_messages(self, max_messages: int, wait_s: float, max_bytes: int = 1 << 22) -> Batch | None:
        """Wait up to `wait_s` seconds for messages; return at most `max_messages` of them, in the order of their
        callers' turns.

        The first message may be larger than `max_bytes`; all together are smaller otherwise. Messages of unmetered
        methods come first, and don't count towards `max_messages`. Returns None once the transport has stopped.
        """
        ...

    def wake(self) -> None:
        """Make one `take_messages` return early: one that waits now, or otherwise the next one."""

    def charge(self, id: int, seconds: float) -> None:  # noqa: A002  the transport's name
        """Count `seconds` of a core that were spent on a message against its caller's turns, where the transport has
        turns. Does nothing for a message that is answered or has ended.
        """

    def answer(self, ids: Sequence[int], contents: Sequence[bytes], spent: Sequence[float] = ()) -> None:
        """Send responses; those of one stream are sent in order. Responses to messages that have ended are dropped.

        `spent` is charged as by `charge`, for each.
        """

    def fail(self, ids: Sequence[int], statuses: Sequence[Status]) -> None:
        """End messages with error statuses.

        A stream ends after its earlier messages are answered; its later ones are dropped.
        """

    def ended(self) -> Sequence[Ended]:
        """Return groups of the calls that the transport has ended by itself since the last call of this."""
        ...

    def set_serving(self, serving: bool, services: Sequence[str] | None = None) -> None:
        """Answer health checks of these `services` (None: all) with SERVING or NOT_SERVING from now on.

        After `drain`, the answer stays NOT_SERVING.
        """

    def set_keys(self, keys: Mapping[bytes, Usage | None] | None) -> None:
        """Refuse metered calls whose key isn't among these. `keys` maps a key's SHA-256 to its `Usage`, or to None if
        it has none.

        A transport that answers calls by itself counts them against that `Usage`. With None, callers need no key.
        """

    def drain(self) -> None:
        """Report NOT_SERVING, refuse new calls, and end each stream after the messages that were read are answered."""

    def quiet_s(self) -> float:
        """Return the seconds since a metered call last started."""
        ...

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no call is open and every byte is sent; returns True if that happened within `timeout_s`
        seconds.
        """
        ...

    def stop(self, grace_s: float) -> None:
        """Close all connections, after at most `grace_s` seconds for calls that are still open."""

    def figures(self) -> dict[str, float]:
        """Return the transport's own measurements by name, such as numbers of open calls and connections."""
        ...

    def bounds(self) -> dict[str, float]:
        """Return the upper limits of those `figures` that have one, by the same names."""
        ...


class Listener(Protocol):
    """Bound gRPC port, with HTTP's ports in the native case. Nothing is answered before `serve` and `start`."""

    port: int

    def serve(
        self,
        methods: Sequence[Method],
        *,
        headers: Sequence[str],
        health: Sequence[str],
        statuses: Statuses,
        http: HttpTerms | None = None,
        shards: int = 1,
    ) -> Transport:
        """Make the transport on this port; may be called once.

        `methods` are what it offers, `headers` the request headers that messages keep, `health` the names that health
        checks may ask for, `statuses` the status for each refusal, `http` the configuration of a transport that also
        serves HTTP, and `shards` the number of its parts, where it may have several.
        """
        ...

    def renew(self) -> None:
        """Use the newest certificate for new connections."""

    def close(self) -> None:
        """Close the port, unless a transport was made on it."""
