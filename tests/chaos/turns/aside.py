"""Work in a process of its own, which begins and ends when it is told to."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Any, Generic, TypeVar

from tests.support.until import TIMEOUT_S

T = TypeVar("T")


@dataclass(frozen=True)
class Signals:
    """What the work and who started it tell each other: that it may go, that it has begun, and that it is over."""

    ready: Event
    go: Event
    begun: Event
    over: Event


class Aside(Generic[T]):
    """One such process, started and waiting. `work` is given Signals and the arguments: it sets `begun` once it is in
    full swing, and returns soon after `over` is set.
    """

    def __init__(self, work: Callable[..., T], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")  # grpc doesn't survive a fork
        self._signals = Signals(*(context.Event() for _ in range(4)))
        self._answer, answer = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(answer, self._signals, work, arguments), daemon=True)
        self._process.start()
        answer.close()
        self._await(self._signals.ready)

    def go(self) -> None:
        """Let it go, and return once it has begun."""
        self._signals.go.set()
        self._await(self._signals.begun)

    def end(self) -> T:
        """Tell it that all is over; return what it returns. Raises what it raised."""
        self._signals.over.set()
        self._signals.go.set()
        assert self._answer.poll(2 * TIMEOUT_S), "it goes on though it is over"
        found = self._answer.recv()
        self._process.join()
        if isinstance(found, BaseException):
            raise found
        return found  # type: ignore[no-any-return]

    def __enter__(self) -> "Aside[T]":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._answer.close()

    def _await(self, event: Event) -> None:
        while not event.wait(0.1):
            if not self._process.is_alive() or self._answer.poll():
                raise self._answer.recv()


def _run(answer: Connection, signals: Signals, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    signals.ready.set()
    signals.go.wait()
    try:
        answer.send(work(signals, *arguments))
    except Exception as error:
        answer.send(error)
