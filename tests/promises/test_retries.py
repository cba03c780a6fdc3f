"""Clients of servers that are killed: their calls, and what they don't notice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bothends import Client, Retry
from tests.support.awaited import Awaited
from tests.support.serving import Running, answered, finish, restarted, start

pytestmark = pytest.mark.slow  # kills servers under load

PATIENT = Retry(attempts=60, burst=1000)
"""Retries for as long as a restart may take on a busy machine."""


class Callers:
    """Callers in a loop, who all expect the same bytes."""

    def __init__(self, make: Callable[[], Client | Awaited], expected: bytes) -> None:
        self._make = make
        self._expected = expected
        self._stopped = threading.Event()
        self._answers = threading.Semaphore(0)
        self.unforeseen: list[BaseException] = []

    def wait_for(self, answers: int) -> None:
        """Wait until so many more answers have come, right ones."""
        for _ in range(answers):
            assert self._answers.acquire(timeout=60), self.unforeseen

    def ask(self) -> None:
        try:
            with self._make() as client:
                while not self._stopped.is_set():
                    assert client.encode(["the same words"]).tobytes() == self._expected
                    self._answers.release()
        except BaseException as error:  # reported by the test
            self.unforeseen.append(error)

    @contextmanager
    def running(self, count: int = 4) -> Iterator[None]:
        threads = [threading.Thread(target=self.ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join(timeout=60)


@pytest.mark.ci
def test_a_server_killed_and_started_again_costs_time_only(running: Running) -> None:
    """Callers in a loop get no error and no wrong bytes, though the server dies without a word."""
    with Client(running.target) as client:
        expected = client.encode(["the same words"]).tobytes()
    callers = Callers(lambda: Awaited(running.target, timeout_s=60, retry=PATIENT), expected)
    with callers.running():
        callers.wait_for(50)
        finish(running)
        successor = restarted(running)
        while answered(successor) < 50:
            callers.wait_for(1)
    finish(successor)
    assert callers.unforeseen == []


def test_of_two_servers_one_may_be_killed_and_come_back(running: Running) -> None:
    """Calls go to both, go on when one is gone, and go to it again once it is back."""
    other = start()
    with Client(running.target) as client:
        expected = client.encode(["the same words"]).tobytes()
    callers = Callers(lambda: Client([running.target, other.target], timeout_s=30), expected)
    started: list[Running] = [other]
    try:
        with callers.running():
            while min(answered(running), answered(other)) < 20:
                callers.wait_for(1)
            finish(other)
            callers.wait_for(100)
            started.append(restarted(other))
            while answered(started[-1]) < 20:
                callers.wait_for(1)
        assert callers.unforeseen == []
    finally:
        for server in started:
            finish(server)
