"""Fair queue: networks take turns, then the callers of a network, then a caller's items in order of arrival.

Turns are counted in seconds of one core. This is start-time fair queueing (Goyal et al., SIGCOMM 1996), the same as in
native/transport/turns.hpp; native/check/units/turns.txt holds both to one order. Not thread-safe: the owner holds a
lock.
"""

from bisect import insort
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter, itemgetter
from typing import Generic, TypeVar

from .caller import Caller

ItemT = TypeVar("ItemT")


_IDLE_KEPT = 1024
"""Number of callers that are remembered although nothing of theirs waits."""
_MAX_DEBT_S, _MAX_SAVED_S = 1.0, 5e-4
"""Most seconds by which somebody may be behind others, and before them: what it takes to come."""


class TurnClock:
    """Virtual time of a fair queue: the least time used by any account that has something waiting."""

    def __init__(self) -> None:
        self.time = self.latest = 0.0
        self.waiting: set[Account] = set()

    def advance(self) -> None:
        """Move the virtual time forward to that of the next account. If nothing waits, all accounts become equal."""
        self.time = max(self.time, min(account.start_tag for account in self.waiting) if self.waiting else self.latest)


@dataclass(eq=False, slots=True)
class Account:
    """Seconds of one core that a network, or a caller, has used."""

    clock: TurnClock
    used: float = 0.0

    @property
    def start_tag(self) -> float:
        """Used seconds for the order of turns: an account that was idle has saved at most half a millisecond."""
        return max(self.used, self.clock.time - _MAX_SAVED_S)

    def charge(self, seconds: float) -> None:
        """Add `seconds` of one core to what was used; a negative number corrects an earlier estimate."""
        if self in self.clock.waiting:
            self.clock.advance()
        self.used = min(self.start_tag + seconds, self.clock.time + _MAX_DEBT_S)
        self.clock.latest = max(self.clock.latest, self.used)


@dataclass(eq=False, slots=True)
class _Flow(Generic[ItemT]):
    """Waiting items of one caller: the age, the item, the seconds and the bytes of each, oldest first."""

    account: Account
    waiting: list[tuple[int, ItemT, float, int]] = field(default_factory=list)
    bytes: int = 0


@dataclass(eq=False, slots=True)
class _Network(Generic[ItemT]):
    """The callers of a network."""

    account: Account
    callers: TurnClock = field(default_factory=TurnClock)
    flows: dict[Hashable, _Flow[ItemT]] = field(default_factory=dict)


class Turns(Generic[ItemT]):
    """Fair queue of items, each with an expected cost in seconds and a size in bytes."""

    def __init__(self) -> None:
        self._clock = TurnClock()
        self._networks: dict[Hashable, _Network[ItemT]] = {}
        self._ages = count()
        self._waiting = 0
        self.bytes = 0
        """Bytes of all that waits."""

    def __len__(self) -> int:
        return self._waiting

    @property
    def callers(self) -> int:
        """Number of callers that are remembered."""
        return sum(len(network.flows) for network in self._networks.values())

    def put(self, item: ItemT, caller: Caller, *, work_s: float, size: int = 0) -> None:
        """Add an item of `caller`, after the caller's other items; it takes about `work_s` seconds of one core, and has
        `size` bytes.
        """
        network = self._networks.get(caller.network)
        if network is None:
            network = self._networks[caller.network] = _Network(Account(self._clock))
        flow = network.flows.get(caller.number)
        if flow is None:
            flow = network.flows[caller.number] = _Flow(Account(network.callers))
        insort(flow.waiting, (next(self._ages), item, work_s, size), key=itemgetter(0))
        self._clock.waiting.add(network.account)
        network.callers.waiting.add(flow.account)
        self._count(flow, 1, size)

    @property
    def first(self) -> ItemT | None:
        """Return the item whose turn it is; None if nothing waits."""
        found = self._first(lambda _: True)
        return found[1].waiting[0][1] if found else None

    def take_next(self, may_go: Callable[[ItemT], bool] = lambda _: True) -> ItemT | None:
        """Remove and return the next item, skipping callers whose first item `may_go` rejects; None if there is
        none.
        """
        found = self._first(may_go)
        if found is None:
            return None
        network, flow = found
        _, item, work_s, size = flow.waiting[0]
        self._charge(network, flow, work_s)
        del flow.waiting[0]
        self._count(flow, -1, -size)
        self._leave(network, flow)
        return item

    def charge(self, caller: Caller, seconds: float) -> None:
        """Correct what `caller` has used by `seconds`, the difference between an item's real and expected cost."""
        network = self._networks.get(caller.network)
        flow = network.flows.get(caller.number) if network else None
        if network is not None and flow is not None:
            self._charge(network, flow, seconds)

    def remove(self, item: ItemT, caller: Caller) -> bool:
        """Remove an item before its turn; returns False if it isn't here."""
        network = self._networks.get(caller.network)
        flow = network.flows.get(caller.number) if network else None
        found = next((entry for entry in flow.waiting if entry[1] is item), None) if flow else None
        if network is None or flow is None or found is None:
            return False
        flow.waiting.remove(found)
        self._count(flow, -1, -found[3])
        self._leave(network, flow)
        return True

    def shed(self) -> ItemT:
        """Remove and return the newest item of the caller with the most waiting bytes, in the network with the most."""
        network = max(self._networks.values(), key=lambda one: sum(flow.bytes for flow in one.flows.values()))
        flow = max(network.flows.values(), key=attrgetter("bytes"))
        _, item, _, size = flow.waiting.pop()
        self._count(flow, -1, -size)
        self._leave(network, flow)
        return item

    def _first(self, may_go: Callable[[ItemT], bool]) -> tuple[_Network[ItemT], _Flow[ItemT]] | None:
        waiting = (
            (network.account.start_tag, flow.account.start_tag, flow.waiting[0][0], network, flow)
            for network in self._networks.values()
            for flow in network.flows.values()
            if flow.waiting and may_go(flow.waiting[0][1])
        )
        found = min(waiting, key=itemgetter(0, 1, 2), default=None)
        return None if found is None else found[3:]

    @staticmethod
    def _charge(network: _Network[ItemT], flow: _Flow[ItemT], seconds: float) -> None:
        flow.account.charge(seconds)
        network.account.charge(seconds)

    def _count(self, flow: _Flow[ItemT], items: int, size: int) -> None:
        flow.bytes += size
        self.bytes += size
        self._waiting += items

    def _leave(self, network: _Network[ItemT], flow: _Flow[ItemT]) -> None:
        """Record that a caller, a network, or all of them have nothing waiting any more, if that is so."""
        if flow.waiting:
            return
        network.callers.waiting.discard(flow.account)
        if not network.callers.waiting:
            network.callers.advance()
            self._clock.waiting.discard(network.account)
        if self._waiting:
            self._forget()
            return
        self._clock.advance()
        self._networks.clear()

    def _forget(self) -> None:
        """Forget callers without waiting items, earliest first, while there are too many."""
        for name, network in list(self._networks.items()):
            if self.callers <= _IDLE_KEPT + self._waiting:
                return
            for number in [number for number, flow in network.flows.items() if not flow.waiting]:
                del network.flows[number]
            if not network.flows:
                del self._networks[name]
