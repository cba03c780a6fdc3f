"""The interface of a transport of gRPC's, which speaks with callers, to the code that answers them: message by message.

A unary call has one message, a stream is a row of them. Everything that needs no look at a message's content is the
transport's: connections, health, refusals for want of room or time, and the order of a stream's answers.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from enum import Enum, StrEnum, auto
from typing import Literal, NamedTuple, Protocol, TypeAlias

from ..usage import Usage

TransportName = Literal["native", "grpcio"]


class Status(NamedTuple):
    """A status as gRPC sends it."""

    code: int
    message: str
    details: bytes
    """Serialised google.rpc.Status, for `grpc-status-details-bin`."""


class Reason(StrEnum):
    """Why a transport refuses by itself; refusals.py has the status of each.

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
    """A response as HTTP sends it, prepared for a reason."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    """Names, in lower case, and values."""
    body: bytes


class HttpTerms(NamedTuple):
    """What a transport is told that serves HTTP beside gRPC, as the native one does."""

    responses: Mapping[str, Mapping[Reason, Response]]
    """With what each reason refuses a call over HTTP, by fronts' names; the first's words are for all else, too."""
    statuses: Mapping[int, int]
    """HTTP status of each gRPC status, for calls that end otherwise; 500 of all others."""
    hosts: tuple[Collection[str], bool] | None
    """Names by which it may be asked, besides its machine's own, and whether by any IP address too; None for all."""


class Method(NamedTuple):
    """A method that a transport offers."""

    name: str
    """`/package.Service/Method`."""
    is_stream: bool = False
    is_metered: bool = True
    """False for health and other probes, which a full or draining server answers too, before all other calls."""
    is_http: bool = False
    """True for a path of HTTP's, in place of gRPC's method: calls are POSTs, probes GETs."""
    front: str = ""
    """Name of the front whose words refuse its calls, of those in `HttpTerms.responses`."""


class Message(Protocol):
    """A request on its way."""

    @property
    def id(self) -> int:
        """Never used again."""

    @property
    def method(self) -> int:
        """Place of its method among those that the transport was given."""

    @property
    def content(self) -> bytes:
        """The request."""

    @property
    def deadline(self) -> float | None:
        """Time of `time.monotonic` at which its caller stops waiting; None for never."""

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The wanted headers of its call."""

    @property
    def caller(self) -> int:
        """Number of its connection, or of its key where one is known: turns are counted by it."""

    @property
    def network(self) -> Hashable:
        """Network that its caller is in."""

    @property
    def arrived(self) -> float:
        """Time of `time.monotonic` at which its call came; of a stream's, itself."""

    @property
    def key(self) -> bytes:
        """SHA-256 of its call's key, which the transport knows; empty where callers need none."""


class Batch(Protocol):
    """What was taken at once."""

    @property
    def messages(self) -> Sequence[Message]:
        """In the order of their turns."""

    @property
    def over(self) -> Sequence[int]:
        """Ids of messages taken before whose caller has left, or whose deadline has passed."""


class Ended(Protocol):
    """Calls alike that a transport ended by itself before any message of them was taken, or streams at their end."""

    @property
    def method(self) -> int:
        """Negative where it was none of the methods."""

    @property
    def code(self) -> int:
        """Status with which they ended, as gRPC numbers it."""

    @property
    def refusal(self) -> Enum | None:
        """One by the name of a `Reason`; None where nobody refused them."""

    @property
    def seconds(self) -> Sequence[float]:
        """Duration of each."""


class Transport(Protocol):
    """Speaker of gRPC with callers. Every method may be called by any thread."""

    def start(self) -> None:
        """Take connections."""

    def take_messages(self, most: int, wait_s: float, queue_s: float = 0.0, max_bytes: int = 1 << 22) -> Batch | None:
        """Wait up to `wait_s` for something to come; return at most `most` messages, in turns of callers.

        The first may have more than `max_bytes`; what comes with it hasn't. Unmetered ones come first, and beside
        `most`. `queue_s` is how long a sentence waits now once it is taken: a call without the time for it is refused.
        Returns None once the transport has stopped.
        """
        ...

    def wake(self) -> None:
        """Make one `take_messages` return early: one that waits now, or else the next one."""

    def hand_over_polling(self) -> None:
        """Let a thread that waits in `take_messages` look at the sockets, if no thread does."""

    def answer(self, ids: Sequence[int], contents: Sequence[bytes]) -> None:
        """Send responses, a stream's in its order. Those of messages that are over are dropped."""

    def fail(self, ids: Sequence[int], statuses: Sequence[Status]) -> None:
        """Send statuses. A stream ends with it after the answers before it; its later messages are over at once."""

    def ended(self) -> Sequence[Ended]:
        """Return the calls that the transport has ended by itself since this was last called."""
        ...

    def set_serving(self, serving: bool, services: Sequence[str] | None = None) -> None:
        """Answer health checks of these `services`, of all where None, with SERVING or NOT_SERVING from now on.

        After `drain` it stays NOT_SERVING.
        """

    def set_keys(self, keys: Mapping[bytes, Usage | None] | None) -> None:
        """Refuse metered calls without a key of one of these SHA-256, and give keys' holders their turns.

        Each key comes with what counts its share, if anything does, for a transport that answers calls by itself.
        None where callers need no key.
        """

    def drain(self) -> None:
        """Say NOT_SERVING, refuse new calls, and end each stream once what was read of it is answered."""

    def quiet_s(self) -> float:
        """Return the seconds since a metered call last began."""
        ...

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no call is open and every byte is with its caller; returns True if that was so in time."""
        ...

    def stop(self, grace_s: float) -> None:
        """Close each connection, after at most `grace_s` for what is still open."""

    def figures(self) -> dict[str, float]:
        """Return what the transport counts of itself, by name."""
        ...

    def bounds(self) -> dict[str, float]:
        """Return the limits of those figures that have one."""
        ...


class Listener(Protocol):
    """A bound port of gRPC's, and natively HTTP's beside it, on which nothing is answered yet."""

    port: int

    def serve(
        self,
        methods: Sequence[Method],
        *,
        headers: Sequence[str],
        health: Sequence[str],
        statuses: Statuses,
        http: HttpTerms | None = None,
    ) -> Transport:
        """Make the transport on it, once. `headers` are those that messages come with, `health` the names that health
        checks may ask for; `http` is for one that serves HTTP, too.
        """
        ...

    def renew(self) -> None:
        """Give new connections the newest certificate."""

    def close(self) -> None:
        """Give the port back, unless a transport was made on it."""
