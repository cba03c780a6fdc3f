"""Storms, each in a process of its own, so that the process that measures their effect isn't slowed by them."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from .answers import Reference
from .callers import Caller, Crowd, Tally
from .proxy import RoughProxy

T = TypeVar("T")
ROUGH_TIMEOUT_S, ROUGH_PAUSE_S = 2.0, 0.2


@contextmanager
def beside(storm: Callable[..., T], *arguments: Any, **options: Any) -> Iterator[Future[T]]:
    """Run a storm in another process."""
    context = multiprocessing.get_context("spawn")  # grpc doesn't survive a fork
    with ProcessPoolExecutor(1, context) as pool:
        pool.submit(time.monotonic).result()  # its start is no part of the storm
        yield pool.submit(storm, *arguments, **options)


def rough_storm(target: str, reference: Reference, *, seconds: float, callers: int) -> Tally:
    """Run callers whose connections stall, trickle, break in a message or vanish; each soon has another."""
    short = reference.only(range(1, 5))  # much to send for little work: the load itself isn't what is bad here
    with RoughProxy(target) as proxy:

        def work(number: int) -> Tally:
            tally, end = Tally(), time.monotonic() + seconds
            with Caller(proxy.target, short, seed=number, most=300, timeout_s=ROUGH_TIMEOUT_S) as caller:
                while time.monotonic() < end:
                    tally.note(caller.call(), 0.0)
                    caller.restart()
                    time.sleep(ROUGH_PAUSE_S)
            return tally

        return Crowd([partial(work, number) for number in range(callers)]).tally(within_s=seconds + 60)
