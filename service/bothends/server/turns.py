"""Things that wait, in a fair order of their callers. Knows no lock, no thread and nothing of what waits.

Start-time fair queueing (Goyal et al., SIGCOMM 1996) with callers as flows and bytes as work: a caller's first stands
where the newest turn was, each next one behind as many bytes as that caller had before it.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


@dataclass(slots=True)
class _Flow(Generic[ItemT]):
    """One caller's."""

    turn: float
    """Virtual time at which the first of it is due."""
    waiting: deque[tuple[ItemT, int]] = field(default_factory=deque)
    bytes: int = 0


class Turns(Generic[ItemT]):
    """Items of some bytes each, by caller."""

    def __init__(self) -> None:
        self._flows: dict[Hashable, _Flow[ItemT]] = {}
        self._now = 0.0
        self._waiting = 0
        self.bytes = 0
        """Bytes of all that waits."""

    def __len__(self) -> int:
        return self._waiting

    def put(self, item: ItemT, size: int, caller: Hashable) -> None:
        """Add an item of so many bytes behind the caller's others."""
        flow = self._flows.setdefault(caller, _Flow(self._now))
        if not flow.waiting:
            flow.turn = max(flow.turn, self._now)
        flow.waiting.append((item, size))
        self._count(flow, 1, size)

    def take(self, may_go: Callable[[ItemT], bool] = lambda _: True) -> ItemT | None:
        """Remove and return the item whose turn it is, of callers whose next one may go; None where there is none."""
        ready = [flow for flow in self._flows.values() if flow.waiting and may_go(flow.waiting[0][0])]
        if not ready:
            return None
        flow = min(ready, key=lambda flow: flow.turn)
        item, size = flow.waiting.popleft()
        self._now = max(self._now, flow.turn)
        flow.turn += size
        self._count(flow, -1, -size)
        return item

    def remove(self, item: ItemT, caller: Hashable) -> bool:
        """Take an item out before its turn; returns False if it isn't here."""
        flow = self._flows.get(caller)
        found = next((entry for entry in flow.waiting if entry[0] is item), None) if flow else None
        if flow is None or found is None:
            return False
        flow.waiting.remove(found)
        self._count(flow, -1, -found[1])
        return True

    def shed(self) -> ItemT:
        """Remove and return the latest item of the caller of whom the most bytes wait."""
        flow = max(self._flows.values(), key=lambda flow: flow.bytes)
        item, size = flow.waiting.pop()
        self._count(flow, -1, -size)
        return item

    def _count(self, flow: _Flow[ItemT], items: int, size: int) -> None:
        flow.bytes += size
        self.bytes += size
        self._waiting += items
        if not self._waiting:
            self._flows.clear()  # nobody has had more than others, of what nobody waited for
