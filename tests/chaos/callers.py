"""Callers that know the right answers: each has a connection of its own, and sorts what becomes of every call.

They are as cheap as grpcio allows, since they share the machine with the server that they attack.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Self

import grpc
import numpy as np
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.support.doors import ALONE

from .answers import Reference

OK, WRONG, LOST, UNCONNECTED = "OK", "WRONG", "LOST", "UNCONNECTED"
"""Outcomes: right in every bit; other bytes; sent, and its end unknown; never sent, as no server listened."""
EMBED = "/bothends.v1.EmbeddingService/Embed"
_OPTIONS = [
    *ALONE,
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_reconnect_backoff_ms", 200),
]


class Caller:
    """One connection. It makes requests by its seed, so that a run can be had again.

    `takes_any` has any answer count as right, as where a newer model answers.
    """

    def __init__(
        self,
        target: str,
        reference: Reference,
        *,
        seed: int,
        most: int = 8,
        timeout_s: float | None = 60,
        key: str | None = None,
        takes_any: bool = False,
    ) -> None:
        self.target = target
        self.reference = reference
        self.chance = random.Random(seed)
        self.most = most
        self.timeout_s = timeout_s
        self._takes_any = takes_any
        self._metadata = (("authorization", f"Bearer {key}"),) if key else ()
        self._connect()

    def call(self) -> str:
        """Send the next request and wait; returns what became of it."""
        request, right = self.next_request()
        return self.send(request, right)

    def next_request(self) -> tuple[bytes, bytes]:
        """Make the next request of this caller, and its right answer."""
        return self.reference.request(self.chance, most=self.most)

    def send(self, request: bytes, right: bytes) -> str:
        """Send `request` and wait."""
        try:
            answer = self._embed(request, timeout=self.timeout_s, metadata=self._metadata)
            return OK if answer == right or self._takes_any else WRONG
        except grpc.RpcError as error:
            return kind_of(error)

    def call_and_cancel(self, after_s: float) -> str:
        """Send the next request and cancel it after so long, unless it is answered by then."""
        request, right = self.next_request()
        call = self._embed.future(request, timeout=self.timeout_s)
        try:
            return OK if call.result(timeout=after_s) == right else WRONG
        except grpc.FutureTimeoutError:
            call.cancel()
            return "CANCELLED"
        except grpc.RpcError as error:
            return kind_of(error)

    def restart(self) -> None:
        """Come back on a new connection, as a client does that is started again."""
        self.close()
        self._connect()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self) -> None:
        self._channel = grpc.insecure_channel(self.target, options=_OPTIONS)
        self._embed: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(EMBED)


def kind_of(error: grpc.RpcError) -> str:
    """The server's own reason where it gave one; else the status, or if UNAVAILABLE the state of the connection."""
    status = rpc_status.from_call(error)
    if status is not None:
        info = error_details_pb2.ErrorInfo()
        for detail in status.details:
            if detail.Unpack(info):
                return str(info.reason)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        details = error.details() or ""
        return UNCONNECTED if "failed to connect" in details.lower() else f"{LOST}: {details}"
    return str(error.code().name)


@dataclass
class Tally:
    """Outcomes of calls, and the seconds of those that were answered."""

    kinds: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def note(self, kind: str, seconds: float) -> None:
        """Count one call."""
        self.kinds[kind] += 1
        if kind == OK:
            self.seconds.append(seconds)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.kinds + other.kinds, self.seconds + other.seconds)

    @property
    def p99_ms(self) -> float:
        """99th percentile of the answered calls' times."""
        return self.percentile_ms(99)

    def percentile_ms(self, percent: float) -> float:
        """Percentile of the answered calls' times."""
        return 1000 * float(np.percentile(self.seconds, percent))


def call_until(caller: Caller, goes_on: Callable[[str], bool]) -> Tally:
    """Call again and again while `goes_on`, which is given the last call's outcome."""
    tally, kind = Tally(), OK
    while goes_on(kind):
        started = time.monotonic()
        kind = caller.call()
        tally.note(kind, time.monotonic() - started)
    return tally


class Crowd:
    """Callers at work, each in a thread. A bug in one of them is raised when the crowd's tally is asked for."""

    def __init__(self, works: list[Callable[[], Tally]]) -> None:
        self._tallies: list[Tally] = []
        self._bugs: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(work,), daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def tally(self, *, within_s: float) -> Tally:
        """Return the tally of all, once they have ended. A caller that doesn't end hangs, and that is a failure."""
        end = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        hung = sum(thread.is_alive() for thread in self._threads)
        assert not hung, f"{hung} of {len(self._threads)} callers hang"
        if self._bugs:
            raise self._bugs[0]
        return sum(self._tallies, Tally())

    def _run(self, work: Callable[[], Tally]) -> None:
        try:
            self._tallies.append(work())
        except BaseException as bug:
            self._bugs.append(bug)


@contextmanager
def crowd_of(count: int, target: str, reference: Reference, *, most: int = 8) -> Iterator[Callable[[], Tally]]:
    """Run so many callers until the function that is yielded is called: it returns their tally."""
    stop = threading.Event()

    def work(seed: int) -> Tally:
        with Caller(target, reference, seed=seed, most=most) as caller:
            return call_until(caller, lambda _: not stop.is_set())

    crowd = Crowd([partial(work, seed) for seed in range(count)])

    def end() -> Tally:
        stop.set()
        return crowd.tally(within_s=60)

    try:
        yield end
    finally:
        stop.set()
