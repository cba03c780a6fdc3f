"""Calls of gRPC to messages, taken by the batch, and answers back. An ImportError where the transport was not built."""

from collections.abc import Iterable, Mapping, Sequence

_Message = tuple[int, int, bytes, float | None, tuple[tuple[str, str], ...], int, float, bytes]
_Status = tuple[int, str, bytes]

class Limits:
    """Bounds, in bytes, seconds and numbers; native/transport/limits.hpp says what each is and its default."""

    max_message_bytes: int
    max_header_bytes: int
    max_calls: int
    max_connections: int
    max_streams: int
    handshake_s: float
    idle_s: float
    age_s: float
    age_grace_s: float
    keepalive_s: float
    keepalive_timeout_s: float
    min_ping_s: float
    ping_strikes: int
    stall_s: float
    window_messages: int
    window_sentences: int
    window_bytes: int
    held_bytes: int
    held_total_bytes: int
    unread_bytes: int
    unread_total_bytes: int

class Transport:
    """Listening sockets, and the calls that come by them. Safe to use from any thread.

    A message is a unary call's only one, or one of a stream's: its id, its method's index, its bytes, its deadline, the
    headers that were asked for, the number of its caller's connection, when it came, and the SHA-256 of its key, empty
    where callers need none; times are `time.monotonic`'s.
    """

    def __init__(
        self,
        listeners: Sequence[int],
        methods: Sequence[tuple[str, bool, bool]],
        *,
        headers: Sequence[str],
        health: Sequence[str],
        statuses: Mapping[str, _Status],
        limits: Limits,
        most_wait: float,
    ) -> None:
        """Know what will be answered; take nothing yet.

        `listeners` are file descriptors of bound sockets that don't block; they are the transport's from now on.
        `methods` are paths, whether each is a stream, and whether its calls need a place: those that don't are answered
        in a full or stopping server too, and taken before all others. `headers` names those that messages carry.
        `health` are services that grpc.health.v1 knows. A status is a code, a message and a serialised
        google.rpc.Status; `statuses` has those that calls are refused with, by the reason. A call
        that would wait for more than `most_wait` of its time is refused.
        """

    def start(self) -> None:
        """Take connections."""

    def take_messages(
        self, most: int, wait_s: float, queue_s: float = 0.0, most_bytes: int = 4_194_304
    ) -> tuple[list[_Message], list[int]] | None:
        """Messages, `most` at most, in fair order of callers, and ids of those taken before that are over.

        Of more than `most_bytes` there is one alone.

        Waits up to `wait_s` until there is one, without the GIL. Refuses calls that `queue_s`, the wait in Python now,
        makes hopeless. None once it has stopped.
        """

    def hand_over_polling(self) -> None:
        """Let one that waits in `take_messages` look at the sockets, if nobody does."""

    def wake(self) -> None:
        """Let one that waits in `take_messages` return, or who comes next."""

    def answer(self, ids: Sequence[int], contents: Sequence[bytes]) -> None:
        """Answer messages: a unary call ends OK, a stream goes on. Ids of messages that are over are ignored."""

    def fail(self, ids: Sequence[int], statuses: Sequence[_Status]) -> None:
        """End calls with a status; a stream once all messages before were answered."""

    def ended(self) -> list[tuple[int, int, str, list[float]]]:
        """Calls that ended without Python since the last look: method's index, code, refusal or "", seconds of each.

        Unary calls that were refused, cancelled or late before they were taken, and every stream.
        """

    def set_serving(self, serving: bool) -> None:
        """Say by grpc.health.v1 whether it serves."""

    def drain(self) -> None:
        """Say NOT_SERVING for good, refuse new calls, and end each stream once what was read of it is answered."""

    def quiet_s(self) -> float:
        """Seconds since a caller last began a call."""

    def wait_idle(self, timeout_s: float) -> bool:
        """Whether, within `timeout_s`, no call is open and every byte is with its caller."""

    def stop(self, grace_s: float) -> None:
        """Say goodbye, give the last bytes at most `grace_s`, and close."""

    def set_keys(self, digests: Iterable[bytes] | None) -> None:
        """Refuse calls without `authorization: Bearer KEY` of a key with one of these SHA-256; None for no key.

        Who holds a key has its turns by whatever connections.
        """

    def set_certificates(self, certificate: bytes, key: bytes, client_ca: bytes | None) -> None:
        """Show another certificate, in PEM, to new connections."""

    def figures(self) -> dict[str, float]:
        """Figures of connections, calls and bytes, by name."""

Served = tuple[int, int, float, float, float, list[float], list[int], list[float], list[tuple[int, float]]]
"""Calls answered together: tokens, truncated sentences, seconds to tokenise, compute and write; of each sentence the
seconds that it waited and its tokens; of each call the seconds to its answer; code and seconds of each that left."""

class FastPath:
    """Small requests of one method of a transport's, served in C++ by whoever comes to take."""

    def __init__(
        self,
        transport: Transport,
        method: int,
        tokenizer: object,
        encoder: object,
        *,
        version: str,
        most_sentences: int,
        most_bytes: int,
        most_together: int,
        most_bytes_together: int,
        most_tokens: int,
    ) -> None:
        """Serve EmbedRequests that hold at most so many sentences and bytes, and no options; so many together.

        `tokenizer` and `encoder` are what a WordPiece and an Encoder share; `version` is the model's, which reads
        `most_tokens` of a sentence. Raises ValueError where they aren't.
        """

    def take_messages(
        self, transport: Transport, most: int, wait_s: float, queue_s: float, most_bytes: int, thread: int
    ) -> tuple[tuple[list[_Message], list[int]] | None, bool]:
        """What Transport.take_messages returns, once there is any or a while has passed, at most `wait_s`; whether it
        was given up.

        Serves small requests meanwhile; with 0 seconds, those that have come.
        `thread` is the calling thread's number, by which `overdue` knows it.
        """

    def served(self) -> list[Served]:
        """What was served since the last time, by whatever thread: all whose answers a caller can have seen."""

    def forgive(self, thread: int, seconds: float) -> None:
        """Not count so many seconds of the run that this thread is in, if it is: it couldn't go on meanwhile."""

    def overdue(self, seconds: float) -> list[tuple[int, list[int]]]:
        """Threads whose run has gone on for so long, and the ids of its messages. They are given up."""
