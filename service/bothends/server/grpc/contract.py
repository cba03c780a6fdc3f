"""The interface of a gRPC transport, which speaks with callers, to the code that answers them. Its unit is the message.

A unary call has one message, a stream is a row of them. Everything that needs no look at a message's content is the
transport's: connections, health, refusals for want of room or time, and the order of a stream's answers.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

from ..budget import GRPC_BYTES

TransportName = Literal["native", "grpcio"]
Status: TypeAlias = tuple[int, str, bytes]
"""gRPC's code, a message for people, and a serialised google.rpc.Status for `grpc-status-details-bin`."""
Reason = Literal[
    "no_key", "unknown_key", "full", "late", "expired", "draining", "slow", "empty", "large", "inflated", "headers",
    "timeout", "unknown", "malformed", "compressed", "unread",
]  # fmt: skip
"""Why a transport refuses by itself; refusals.py has the status of each."""
Statuses: TypeAlias = dict[Reason, Status]


class Method(NamedTuple):
    """A method that a transport offers."""

    name: str
    """`/package.Service/Method`."""
    is_stream: bool = False
    is_metered: bool = True
    """False for health and other probes, which a full or draining server answers too, before all other calls."""


class Message(NamedTuple):
    """A request on its way."""

    id: int
    method: int
    """Place of its method among those that the transport was given."""
    content: bytes
    deadline: float | None
    """Time of `time.monotonic` at which its caller stops waiting; None for never."""
    metadata: tuple[tuple[str, str | bytes], ...]
    """The wanted headers of its call."""
    caller: int
    """Number of its connection."""
    arrived: float
    """Time of `time.monotonic` at which its call came; of a stream's, itself."""
    key: bytes = b""
    """SHA-256 of its call's key, which the transport knows; empty where callers need none."""


class Ended(NamedTuple):
    """Calls alike that a transport ended by itself before any message of them was taken, or streams at their end."""

    method: int
    """Negative where it was none of the methods."""
    code: int
    refusal: Reason | Literal[""]
    seconds: Sequence[float]
    """Duration of each."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of connections and of what is on its way."""

    max_message_bytes: int
    max_inflated_bytes: int
    """Bytes that a message which comes compressed may become; 0 where none may. With grpcio, that alone counts."""
    max_header_bytes: int
    max_calls: int
    """Unary calls that are read, wait or are taken; one more is refused before its request is read."""
    max_connections: int
    max_streams: int
    """Calls of one connection at once, HTTP/2's streams."""
    handshake_s: float
    """Seconds for a handshake, and after which a caller that neither sends nor reads gives its place to another."""
    idle_s: float
    """0 for never, as `age_s`."""
    age_s: float
    age_grace_s: float
    keepalive_s: float
    min_ping_s: float
    keepalive_timeout_s: float = 20.0
    ping_strikes: int = 2
    window_messages: int = 32
    """Bounds on what of one stream is read and not yet sent: enough for full batches."""
    window_sentences: int = 256
    window_bytes: int = 1 << 20
    held_total_bytes: int = GRPC_BYTES
    """Bytes of all requests that have come and were not taken; the native transport's bound alone, as the next."""
    unread_total_bytes: int = 256 << 20
    """Bytes of all answers that callers have not read."""


class Transport(Protocol):
    """Speaker of gRPC with callers. Every method may be called by any thread."""

    def start(self) -> None:
        """Take connections."""

    def take_messages(
        self, most: int, wait_s: float, queue_s: float = 0.0, most_bytes: int = 1 << 22
    ) -> tuple[list[Message], list[int]] | None:
        """Wait up to `wait_s` for something to come; return at most `most` messages, in turns of callers.

        The first may have more than `most_bytes`; what comes with it hasn't.

        Those that take no place come first, whatever `most` is. The ids are of messages taken before whose caller has
        left, or whose deadline has passed: they are over.
        `queue_s` is how long a sentence waits now once it is taken: a call without the time for it is refused. Returns
        None once the transport has stopped.
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

    def ended(self) -> list[Ended]:
        """Return the calls that the transport has ended by itself since this was last called."""
        ...

    def set_serving(self, serving: bool) -> None:
        """Answer health checks with SERVING or NOT_SERVING from now on. After `drain` it stays NOT_SERVING."""

    def set_keys(self, digests: Collection[bytes] | None) -> None:
        """Refuse metered calls without a key of one of these SHA-256, and give keys' holders their turns.

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


class Listener(Protocol):
    """A bound port of gRPC's, on which nothing is answered yet."""

    port: int

    def serve(
        self,
        methods: Sequence[Method],
        *,
        headers: Sequence[str],
        health: Sequence[str],
        statuses: Statuses,
    ) -> Transport:
        """Make the transport on it, once. `headers` are those that messages come with, `health` the services' names."""
        ...

    def renew(self) -> None:
        """Give new connections the newest certificate."""

    def close(self) -> None:
        """Give the port back, unless a transport was made on it."""
