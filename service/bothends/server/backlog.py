"""Backlog of requests that two threads parse in fair order of their callers, bounded by bytes.

Long requests wait here, and so do requests whose answers need room in the answer budget. They are kept as the bytes
that arrived; no string is made of them before their turn.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from ..core.inputs import SHORT_BYTES
from ..errors import OverloadedError
from .answer_budget import AnswerBudget
from .caller import Caller
from .context import CallContext, Work
from .price import BYTE_S
from .turns import Turns

_THREADS = 2
_MAX_BYTES = 64 << 20
"""Bytes of all that waits."""
_TINY_BYTES = 256
"""Bytes of a request whose answer is too small to need room."""
_RETRY_S = 0.5
"""Seconds after which to try again if there is no room."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A request that waits. Its call cancels it, as work that is done for it."""

    backlog: "Backlog"
    context: CallContext
    caller: Caller
    act: Callable[[], None]
    begun: Work | None
    needs_room: bool

    def cancel(self) -> None:
        """Remove this request, because its caller has left."""
        self.backlog.drop(self)
        if self.begun is not None:
            self.begun.cancel()


class Backlog:
    """Backlog of requests, and the threads that parse them."""

    def __init__(
        self, *, pool: Executor | None = None, max_bytes: int = _MAX_BYTES, answer_budget: AnswerBudget | None = None
    ) -> None:
        """Parse in the threads of `pool`, which `close` shuts down, or in two threads of its own.

        At most `max_bytes` bytes of requests wait. Answers to calls that keep room (`CallContext.keeps_room`) have it
        in `answer_budget`.
        """
        self.answer_budget = answer_budget or AnswerBudget()
        self.answer_budget.on_freed(self._read_more)
        self._pool = pool or ThreadPoolExecutor(_THREADS, "bothends-read")
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._turns: Turns[_Waiting] = Turns()

    @property
    def waiting_bytes(self) -> int:
        """Number of bytes of all waiting requests."""
        return self._turns.bytes

    def submit(
        self,
        act: Callable[[], None],
        size: int,
        context: CallContext,
        *,
        work_s: float | None = None,
        begun: Work | None = None,
    ) -> None:
        """Call `act` for a request of `size` bytes: at once, or when its caller's turn comes. It isn't called if the
        caller leaves first.

        `work_s` is the expected cost of the request in seconds of one core; None estimates it from `size`. A long
        request always waits for its turn, and a short one waits only while the answer budget has no room. `begun` is
        other work of the same call, which ends together with this. When too many bytes wait, the caller with the most
        waiting bytes has a request refused, which may be this one.
        """
        needs_room = size > _TINY_BYTES and context.keeps_room
        if size <= SHORT_BYTES and not (needs_room and self.answer_budget.is_full):
            act()
            return
        network, number = context.caller
        entry = _Waiting(self, context, Caller(network, (number, needs_room)), act, begun, needs_room)
        context.cancels(entry)  # first: `act` may say what else is to be cancelled
        with self._lock:
            self._turns.put(entry, entry.caller, work_s=BYTE_S * size if work_s is None else work_s, size=size)
            refused = []
            while self._turns.bytes > self._max_bytes and len(self._turns) > 1:
                refused.append(self._turns.shed())
        for other in refused:
            other.context.fail(OverloadedError("too many long requests wait to be read", retry_after_s=_RETRY_S))
        try:
            self._pool.submit(self._read_next)
        except RuntimeError:  # closed: there are no other calls now, and the embedder refuses this one
            self._read_next()

    def _read_more(self) -> None:
        if len(self._turns):
            with suppress(RuntimeError):  # closed
                self._pool.submit(self._read_next)

    def drop(self, entry: _Waiting) -> None:
        """Remove the request of `entry`, which waits, because it is no longer wanted."""
        with self._lock:
            self._turns.remove(entry, entry.caller)

    def close(self) -> None:
        """Stop the threads after they have handled all waiting requests."""
        self._pool.shutdown(wait=False)

    def _read_next(self) -> None:
        with self._lock:
            entry = self._turns.take_next(lambda entry: not (entry.needs_room and self.answer_budget.is_full))
        if entry is None:
            return
        self._read_more()  # there may be room for others
        if not entry.context.is_over():
            entry.act()
