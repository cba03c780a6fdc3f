"""A queue in which callers take turns by the bytes that they have had. It has no lock: its owner's is held.

Start-time fair queueing (Goyal et al., SIGCOMM 1996) with callers as flows and bytes as work: a caller's first stands
where the newest turn was, each next one behind as many bytes as that caller had before it.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


_IDLE_KEPT = 1024
"""Number of callers that are remembered though nothing of theirs waits, as batching/fairqueue.py does."""


@dataclass(slots=True)
class _Flow(Generic[ItemT]):
    """The queue of one caller."""

    caller: Hashable
    turn: float
    """Virtual time at which the first item in it is due."""
    waiting: deque[tuple[ItemT, int]] = field(default_factory=deque)
    bytes: int = 0
    place: int = 0
    """Number in the order of those with the same turn."""


class Turns(Generic[ItemT]):
    """Items of some bytes each, by caller."""

    def __init__(self) -> None:
        self._flows: dict[Hashable, _Flow[ItemT]] = {}
        self._order: list[tuple[float, int, _Flow[ItemT]]] = []  # by turn; of one turn, who came there first
        self._places = count()
        self._debts: dict[Hashable, float] = {}  # next turn of others who have had more; who was served last is last
        self._now = 0.0
        self._waiting = 0
        self.bytes = 0
        """Bytes of all that waits."""

    def __len__(self) -> int:
        return self._waiting

    @property
    def callers(self) -> int:
        """Number of callers that are remembered."""
        return len(self._flows) + len(self._debts)

    def put(self, item: ItemT, size: int, caller: Hashable) -> None:
        """Add an item of so many bytes behind the caller's others."""
        flow = self._flows.get(caller)
        if flow is None:
            flow = self._flows[caller] = _Flow(caller, max(self._now, self._debts.pop(caller, 0.0)))
            self._stand(flow)
        flow.waiting.append((item, size))
        self._count(flow, 1, size)

    @property
    def first(self) -> ItemT | None:
        """The item whose turn it is; None where nothing waits."""
        return self._order[0][2].waiting[0][0] if self._order else None

    def take_next(self, may_go: Callable[[ItemT], bool] = lambda _: True) -> ItemT | None:
        """Remove and return the item whose turn it is, of callers whose next one may go; None where there is none."""
        place = next((place for place, (_, _, flow) in enumerate(self._order) if may_go(flow.waiting[0][0])), None)
        if place is None:
            return None
        turn, _, flow = self._order.pop(place)
        item, size = flow.waiting.popleft()
        self._now = max(self._now, turn)
        flow.turn += size
        if flow.waiting:
            self._stand(flow)
        self._count(flow, -1, -size)
        return item

    def remove(self, item: ItemT, caller: Hashable) -> bool:
        """Take an item out before its turn; returns False if it isn't here."""
        flow = self._flows.get(caller)
        found = next((entry for entry in flow.waiting if entry[0] is item), None) if flow else None
        if flow is None or found is None:
            return False
        flow.waiting.remove(found)
        self._leave(flow)
        self._count(flow, -1, -found[1])
        return True

    def shed(self) -> ItemT:
        """Remove and return the latest item of the caller of whom the most bytes wait."""
        flow = max(self._flows.values(), key=attrgetter("bytes"))
        item, size = flow.waiting.pop()
        self._leave(flow)
        self._count(flow, -1, -size)
        return item

    def _stand(self, flow: _Flow[ItemT]) -> None:
        """Put a flow where its first item's turn is."""
        flow.place = next(self._places)
        insort(self._order, (flow.turn, flow.place, flow))

    def _leave(self, flow: _Flow[ItemT]) -> None:
        """Take a flow out of the order where nothing of it waits any more."""
        if not flow.waiting:
            del self._order[bisect_left(self._order, (flow.turn, flow.place))]

    def _count(self, flow: _Flow[ItemT], items: int, size: int) -> None:
        flow.bytes += size
        self.bytes += size
        self._waiting += items
        if not flow.waiting:
            del self._flows[flow.caller]
            if flow.turn > self._now:
                self._owe(flow.caller, flow.turn)
        if not self._waiting:
            self._debts.clear()  # nobody has had more than others, of what nobody waited for

    def _owe(self, caller: Hashable, turn: float) -> None:
        """Remember when the caller's next turn is, in place of the one who was served longest ago if they are many."""
        self._debts[caller] = turn
        if len(self._debts) > _IDLE_KEPT:
            del self._debts[next(iter(self._debts))]
