"""A transport on a port of its own, and a thread that answers with what it was asked."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import grpc
from bothends_native.transport import Ended, Hosts, Limits, Listener, Message, Method, Refusal, Transport

from bothends.server.http.failure import HTTP_STATUSES
from tests.support import shards
from tests.support.doors import ALONE, Channel
from tests.support.until import TIMEOUT_S, until

from .raw import ECHO

ROW, PROBE = "/t.T/Row", "/t.T/Probe"
METHODS = [Method(ECHO), Method(ROW, is_stream=True), Method(PROBE, is_metered=False)]
REFUSALS = {
    "full": 8,
    "room": 8,
    "crowded": 8,
    "connections": 8,
    "late": 8,
    "expired": 4,
    "draining": 14,
    "no_key": 16,
    "unknown_key": 16,
    "slow": 8,
    "empty": 13,
    "large": 8,
    "inflated": 8,
    "headers": 8,
    "timeout": 13,
    "unknown": 12,
    "malformed": 13,
    "compressed": 12,
    "unread": 8,
    "over_rate": 8,
    "over_concurrency": 8,
}
STATUSES = {kind: (code, f"it is {kind}", b"details of " + kind.encode()) for kind, code in REFUSALS.items()}
RESPONSES = {
    "no_key": 401,
    "unknown_key": 401,
    "full": 429,
    "room": 429,
    "crowded": 429,
    "connections": 429,
    "late": 429,
    "expired": 504,
    "draining": 503,
    "slow": 408,
    "large": 413,
    "inflated": 413,
    "headers": 431,
    "unread": 429,
    "over_rate": 429,
    "over_concurrency": 429,
}
LEFT_OPEN = {
    name: f"{name}: {{limit}}, {{in_progress}}, {{retry_after_s}} s, {{retry_after_ms}} ms"
    for name in ("over_rate", "over_concurrency")
}
"""Responses in which the transport fills in something."""
HELD = (
    "calls",
    "slots",
    "waiting",
    "taken",
    "held_bytes",
    "unread_bytes",
    "reading",
    "deadlines",
    "watchers",
    "requests",
)
"""Figures that are 0 where no call is open."""


class Served:
    """A transport. Whoever doesn't call `answering` takes and answers themselves."""

    def __init__(
        self,
        *listeners: socket.socket,
        methods: Sequence[Method] = METHODS,
        max_wait: float = 0.25,
        http: Sequence[socket.socket] = (),
        hosts: Hosts | None = None,
        proxies: Sequence[tuple[bytes, int]] = (),
        **limits: Any,
    ) -> None:
        sockets = listeners or (listening(),)
        self.http_port = http[0].getsockname()[1] if http else 0
        self.port = sockets[0].getsockname()[1] if sockets[0].family == socket.AF_INET else 0
        self.transport = Transport(
            [
                *(Listener(listener.detach()) for listener in sockets),
                *(Listener(listener.detach(), is_http=True) for listener in http),
            ],
            methods,
            headers=["x-note", "traceparent", "tracestate"],
            health=["", "t.T"],
            statuses={Refusal[name]: status for name, status in STATUSES.items()},
            limits=cast("Any", Limits)(**{"transport_shards": shards.asked() or 1} | limits),
            max_wait=max_wait,
            responses=[
                {
                    Refusal[name]: (
                        status,
                        [(b"x-refusal", name.encode())],
                        f"it is {LEFT_OPEN.get(name, name)}{words}".encode(),
                    )
                    for name, status in RESPONSES.items()
                }
                for words in ("", ", in others' words")
            ],
            http_statuses=HTTP_STATUSES,
            hosts=hosts,
            proxies=proxies,
        )
        self.messages: list[Message] = []
        self.gone: list[int] = []
        self.ended: list[Ended] = []
        self._threads: list[threading.Thread] = []
        self.transport.set_serving(True)
        self.transport.start()

    def answering(self, threads: int = 1) -> "Served":
        """Have each message answered with its own content; b"bad" fails."""
        self._threads = [threading.Thread(target=self._answer) for _ in range(threads)]
        for thread in self._threads:
            thread.start()
        return self

    def take_messages(self, count: int = 1) -> list[Message]:
        """Take so many messages, as Python does who answers none of them yet."""
        found: list[Message] = []

        def some() -> bool:
            batch = self.transport.take_messages(count - len(found), 0.1)
            assert batch is not None, "it has stopped"
            found.extend(batch.messages)
            self.gone += batch.over
            return len(found) >= count

        until(some)
        return found

    def look(self, most: int, wait_s: float) -> tuple[list[bytes], list[int]]:
        """Take what is there, as contents, and the ids of messages that are over."""
        batch = self.transport.take_messages(most, wait_s)
        assert batch is not None, "it has stopped"
        return [message.content for message in batch.messages], batch.over

    def figure(self, name: str) -> float:
        return self.transport.figures()[name]

    def count(self) -> list[tuple[int, int, str]]:
        """All that ended without Python so far: method, code and refusal."""
        self.ended += self.transport.ended()
        named = [(each, each.refusal.name if each.refusal else "") for each in self.ended]
        return [(each.method, each.code, refusal) for each, refusal in named for _ in each.seconds]

    def let_go(self, *, of_connections: bool = False) -> None:
        """Wait until nothing is held for any caller."""
        until(lambda: not any(self.transport.figures()[name] for name in HELD))
        if of_connections:
            until(lambda: self.figure("connections") == 0)

    def stop(self, grace_s: float = 0) -> None:
        self.transport.stop(grace_s)
        for thread in self._threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()
        left = self.transport.figures()
        assert not any(left[name] for name in HELD), left

    @contextlib.contextmanager
    def channel(self, credentials: grpc.ChannelCredentials | None = None, *options: Any) -> Iterator[Channel]:
        """A connection by grpcio that no other caller shares."""
        target, settings = f"localhost:{self.port}", [*ALONE, *options]
        with (
            grpc.secure_channel(target, credentials, options=settings)
            if credentials
            else grpc.insecure_channel(target, options=settings)
        ) as channel:
            yield channel

    def _answer(self) -> None:
        while (batch := self.transport.take_messages(256, 1.0)) is not None:
            self.messages += batch.messages
            self.gone += batch.over
            bad = [message.id for message in batch.messages if message.content == b"bad"]
            good = [message for message in batch.messages if message.content != b"bad"]
            self.transport.fail(bad, [(3, "naïve: 100 %\n", b"\x08\x03")] * len(bad))
            self.transport.answer([message.id for message in good], [message.content for message in good])


def listening(path: str | None = None) -> socket.socket:
    """A socket as Python hands it over: bound, listening, and never blocking."""
    made = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(path or ("127.0.0.1", 0))
    made.listen(512)
    made.setblocking(False)
    return made
