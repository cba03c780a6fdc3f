"""Neighbours of an attack: one who asks for the same again and again, and newcomers, each on a new connection.

Each runs in a process of its own (aside.py).
"""

import itertools
import threading
import time
from statistics import median

from ..floods import Address
from .aside import Signals
from .asks import Ask
from .caller import RIGHT, Call, Caller

_NEWCOMER_EVERY_S = 0.1
_WARM_S, _PROBES, _BACK_S, _SLOWER = 0.5, 20, 60.0, 2.0


def neighbour(signals: Signals, ask: Ask, address: Address, source: str) -> list[Call]:
    """Call again and again on one connection, from well before the attack until all is as before, or a minute later.

    As before: of twenty calls all are right, and half of them take no more than twice what half of them took at first.
    """
    caller, calls = Caller(ask, address, source), list[Call]()
    caller.learn()
    end = time.monotonic() + _WARM_S
    while time.monotonic() < end:
        calls.append(caller.call())
    usual_s = _SLOWER * median(call.seconds for call in calls)
    signals.begun.set()
    while not signals.over.is_set():
        calls.append(caller.call())
    end = time.monotonic() + _BACK_S
    while time.monotonic() < end:
        last = [caller.call() for _ in range(_PROBES)]
        calls += last
        if {call.kind for call in last} == {RIGHT} and median(call.seconds for call in last) <= usual_s:
            break
    caller.close()
    return calls


def newcomers(signals: Signals, ask: Ask, address: Address) -> list[Call]:
    """Have somebody ask ten times a second until it is over, each from an address and on a connection of their own."""
    first = Caller(ask, address, "127.1.0.1")
    right, calls, threads = first.learn(), list[Call](), list[threading.Thread]()
    first.close()

    def come(source: str) -> None:
        caller = Caller(ask, address, source, right=right)
        calls.append(caller.call())
        caller.close()

    signals.begun.set()
    for number in itertools.count(2):
        if signals.over.wait(_NEWCOMER_EVERY_S):
            break
        threads.append(threading.Thread(target=come, args=(f"127.1.{number // 250}.{number % 250 + 1}",)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return sorted(calls)
