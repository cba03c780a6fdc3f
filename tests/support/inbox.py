"""A batcher's source that a test fills, and an engine that hangs."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from bothends.batching.request import Stuck
from bothends.engines.contract import TokenIds
from tests.support.clock import Clock
from tests.support.engines import EngineBatcher, HeldEngine, rows_of
from tests.support.until import TIMEOUT_S

HANGS = 1313
"""A sentence with this word keeps its engine until the test ends."""


class Inbox:
    """A source that the test fills. A thread that pulls submits what was put, and is remembered."""

    def __init__(self, batcher: EngineBatcher) -> None:
        self.batcher = batcher
        self.letters: deque[tuple[Sequence[TokenIds], Future[list[list[float]]]]] = deque()
        self.came = threading.Condition()
        self.has_ended = False
        self.is_open = threading.Event()  # else the thread that pulls is held after bringing in what came
        self.is_open.set()
        self.brought = threading.Semaphore(0)
        self.pulled_aside = 0  # letters, by threads that have no core
        self.woken = False
        self.hanging: list[Stuck] = []
        self.given_up: set[int] = set()
        self.inside = 0  # the thread that brought something in the last

    def gathering(self) -> AbstractContextManager[None]:
        return nullcontext()

    def put(self, *letters: Sequence[TokenIds]) -> list[Future[list[list[float]]]]:
        """Add all of them at once."""
        found = [(sentences, Future[list[list[float]]]()) for sentences in letters]
        with self.came:
            self.letters.extend(found)
            self.came.notify_all()
        return [future for _, future in found]

    def end(self) -> None:
        """End the source: nothing more is pulled, not even what has come."""
        with self.came:
            self.letters.clear()
            self.has_ended = True
            self.came.notify_all()

    @property
    def runs_itself(self) -> bool:
        return False

    has_hasty_callers = False
    """Whether a thread is left to those whom it would serve inside `pull`."""

    def pull(self, sentences: int, wait_s: float, *, may_run: bool = True) -> bool | None:
        thread = threading.get_ident()
        if wait_s:
            with self.came:
                self.came.wait_for(lambda: self.letters or self.has_ended or self.woken)
                self.woken = False
        brought = 0
        while brought < sentences:
            with self.came:
                if not self.letters:
                    break
                letter, future = self.letters.popleft()
            self.inside = thread
            self.pulled_aside += not may_run
            self.batcher.submit(letter).add_done_callback(self._passing_on(future))
            self.brought.release()
            brought += 1
        if brought:
            assert self.is_open.wait(TIMEOUT_S)
        if thread in self.given_up:
            return None
        return bool(self.letters) or not self.has_ended

    def wake(self) -> None:
        with self.came:
            self.woken = True
            self.came.notify_all()

    def hand_over_polling(self) -> None:
        """Do nothing: every thread that sleeps here wakes when something comes."""

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[Stuck]:
        """Give up what is said to hang, once."""
        hanging, self.hanging = self.hanging, []
        self.given_up |= {stuck.thread for stuck in hanging}
        return hanging

    def _passing_on(self, future: Future[list[list[float]]]) -> Callable[[Future[NDArray[np.float32]]], None]:
        def pass_on(rows: Future[NDArray[np.float32]]) -> None:
            future.set_result(rows.result(0).tolist())

        return pass_on

    def await_brought(self, letters: int = 1, *, moving: Clock | None = None) -> None:
        """Wait until so many more have been submitted, with a clock that moves meanwhile or one that doesn't."""
        end = time.monotonic() + TIMEOUT_S
        for _ in range(letters):
            while not self.brought.acquire(timeout=0.01):
                assert time.monotonic() < end
                if moving is not None:
                    moving.now += 0.006


class HangingEngine(HeldEngine):
    """Engine that holds each batch, and one for good."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = threading.Event()

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        if [HANGS] in sentences:
            self.entered.release()
            assert self.is_over.wait(TIMEOUT_S)
            return rows_of(sentences)
        return super().run(sentences)
