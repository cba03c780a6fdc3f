"""A transport's requests for the application, put by hand, and the responses to them."""

import os
import queue
import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from bothends.server.http.contract import Headers

_IDS = count(1)


@dataclass(frozen=True)
class Asked:
    """An `HttpRequest`."""

    target: bytes = b"/"
    verb: str = "GET"
    headers: Headers = ((b"host", b"localhost"),)
    body: bytes = b""
    is_whole: bool = True
    listener: int = 0
    method: int | None = None
    version: str = "1.1"
    peer: tuple[str, int] = ("127.0.0.1", 1)
    is_encrypted: bool = False
    key: bytes = b""
    caller: int = 1
    network: int = 1
    arrived: float = 0.0
    deadline: float | None = None
    id: int = field(default_factory=lambda: next(_IDS))


class Response(NamedTuple):
    """What was sent for a request."""

    id: int
    status: int
    headers: Headers
    body: bytes


@dataclass
class Came:
    """A `Requests`."""

    requests: list[Asked] = field(default_factory=list)
    over: list[int] = field(default_factory=list)


class HandHeldTransport:
    """An `HttpTransport` whose requests the test puts."""

    def __init__(self) -> None:
        self.responses: queue.Queue[Response] = queue.Queue()
        self.charged: dict[int, float] = {}
        self._lock = threading.Lock()
        self._came: deque[Came | None] = deque()
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK)

    def put(self, *requests: Asked, over: tuple[int, ...] = ()) -> None:
        self._add(Came(list(requests), list(over)))

    def close(self) -> None:
        """Have no more requests."""
        self._add(None)

    def take_requests(self) -> Came | None:
        with self._lock:
            came = self._came.popleft() if self._came else Came()
            if not self._came:
                os.eventfd_read(self._descriptor)
        return came

    def requests_descriptor(self) -> int:
        return self._descriptor

    def respond(self, id: int, status: int, headers: Headers, body: bytes, spent: float = 0.0) -> bool:  # noqa: A002  the transport's name
        self.charge(id, spent)
        self.responses.put(Response(id, status, headers, body))
        return True

    def charge(self, id: int, seconds: float) -> None:  # noqa: A002  the transport's name
        self.charged[id] = self.charged.get(id, 0.0) + seconds

    def _add(self, came: Came | None) -> None:
        with self._lock:
            self._came.append(came)
            os.eventfd_write(self._descriptor, 1)
