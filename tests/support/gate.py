"""What stands between requests and engines, so that tests see requests wait."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from bothends.batching.request import Request, Ticket
from bothends.engines.contract import TokenIds
from bothends.server.fast_path import FastPaths
from bothends.server.server import Server

from .engines import SERVES
from .measured import sample

_HELD_S = 100
"""Longer than any test takes."""


class Gate:
    """An entrance that is open at first. While it is closed, what Python has read waits before it.

    Natively it stands before the queue that computes; elsewhere engines stand still.
    """

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self._opened = threading.Event()
        self._opened.set()
        self._held = dict[int, tuple[int, Callable[[], None]]]()  # by messages' ids: sentences, and what submits them
        run, submit, forget = SERVES.run, FastPaths.submit, FastPaths.forget

        def wait(engine: Any, sentences: Sequence[TokenIds]) -> object:
            assert self._opened.wait(_HELD_S)
            return run(engine, sentences)

        def hold(paths: FastPaths, request: Request, sentences: Sequence[TokenIds], ticket: Ticket) -> None:
            if self._opened.is_set():
                submit(paths, request, sentences, ticket)
            else:
                self._held[ticket.id] = len(sentences), partial(submit, paths, request, sentences, ticket)

        def let_go(paths: FastPaths, request: Request, ticket: Ticket) -> None:
            self._held.pop(ticket.id, None)
            forget(paths, request, ticket)

        patched.setattr(SERVES, "run", wait)
        patched.setattr(FastPaths, "submit", hold)
        patched.setattr(FastPaths, "forget", let_go)

    def clear(self) -> None:
        """Close it."""
        self._opened.clear()

    def set(self) -> None:
        """Open it."""
        self._opened.set()
        held, self._held = self._held, {}
        for _, submit in held.values():
            submit()

    def sentences(self, server: Server) -> float:
        """Return how many sentences wait."""
        if server.transport == "native":
            return sum(count for count, _ in list(self._held.values()))
        return sample(server, "bothends_queue_sentences")
