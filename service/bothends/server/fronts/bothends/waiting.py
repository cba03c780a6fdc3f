"""Messages of streams that wait for room or for their key's quota, in one queue for each caller.

The bytes that they hold are bounded for each caller and in total; the caller that holds the most is refused first. The
first message of a queue is tried once its quota may allow it, and not before.
"""

import sched
import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter

from ....errors import OverloadedError, QuotaError, RequestError
from ...quota import KeyAccount
from ...timer import Timer
from .message import StreamMessage

_SOON_S = 30.0
"""Seconds for which a message waits for its key's share, at most: one that would wait longer is told when to come."""
_MESSAGE_BYTES = 4096
"""Bytes that a message holds besides its request: its call, its future items, and what the transport knows of it."""
_REQUEST_TIMES = 2
"""Copies of a request: as it came, and as it was parsed."""
_SENTENCE_BYTES = 64
"""Bytes that a sentence holds besides its characters."""
_CALLER_BYTES = 8 << 20
_ALL_BYTES = 32 << 20
_RETRY_S = 1.0
"""Seconds after which to ask again, where too much waits."""
_FULL = "too many messages of streams wait for their turn"
_arrival = attrgetter("arrived")


@dataclass(eq=False, slots=True)
class _Entry:
    """A message that waits. Its call cancels it, as work that is done for it."""

    lines: "WaitingMessages"
    caller: Hashable
    message: StreamMessage
    arrived: float
    bytes: int

    def cancel(self) -> None:
        """Remove this message, because its caller has left or its stream has failed."""
        self.lines.leave(self)
        self.message.cancel()


@dataclass(eq=False, slots=True)
class _Line:
    """The queue of one caller."""

    entries: list[_Entry] = field(default_factory=list)
    """Messages that wait; who came first is first, as the first message of each stream is."""
    bytes: int = 0
    sentences: int = 0
    is_for_share: bool = False
    """True while it waits for its key's share, and not for room."""
    alarm: sched.Event | None = None
    rests_until: float = 0.0
    """Time of `time.monotonic` before which there is no use in asking for its first."""


class WaitingMessages:
    """Queues of waiting messages, one for each caller."""

    def __init__(
        self, timer: Timer, go_on: Callable[[StreamMessage], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Call `go_on`, in the timer's thread, with each message that may be tried again, whose share it has."""
        self._timer = timer
        self._clock = clock
        self._go_on = go_on
        self._lock = threading.Lock()
        self._lines: dict[Hashable, _Line] = {}
        self.bytes = 0
        """Bytes of all that waits."""

    def __len__(self) -> int:
        with self._lock:
            return sum(len(line.entries) for line in self._lines.values())

    def is_for_share(self, caller: Hashable) -> bool:
        """Return True while messages of `caller` wait for their quota; new messages of that caller then queue after
        them.
        """
        line = self._lines.get(caller)
        return line is not None and line.is_for_share

    def put(
        self, message: StreamMessage, rest_s: float | None, *, is_for_share: bool
    ) -> list[tuple[StreamMessage, OverloadedError]]:
        """Add a message that has to wait. The caller's queue isn't tried again for `rest_s` seconds; None keeps the
        earlier time.

        Returns the messages that are refused because of it, each with its error: this message if its quota won't allow
        it soon, or the latest messages of the caller that holds too many bytes.
        """
        account, caller = message.context.account, message.context.payer
        entry = _Entry(self, caller, message, message.context.arrived, _held_bytes(message))
        with self._lock:
            line = self._lines.get(caller) or _Line()
            if is_for_share and account is not None and not message.has_waited:
                try:
                    account.check(ahead=line.sentences)
                except QuotaError as error:
                    if error.retry_after_s > _SOON_S:
                        return [(message, error)]
            message.has_waited = True
            self._lines[caller] = line
            insort(line.entries, entry, key=_arrival)
            self._count(line, entry, 1)
            line.is_for_share = is_for_share
            if is_for_share and account is not None:
                account.on_freed = partial(self._freed, account)
            if rest_s is not None or line.alarm is None:
                self._rest(caller, line, rest_s or 0.0)
            refused = self._shed(line)
        message.context.cancels(entry)
        return [(other, OverloadedError(_FULL, retry_after_s=_RETRY_S)) for other in refused]

    def leave(self, entry: _Entry) -> bool:
        """Remove a message that isn't to be tried again; returns False if it was no longer waiting."""
        with self._lock:
            return self._leave(entry)

    def take_all_messages(self) -> list[StreamMessage]:
        """Remove and return all waiting messages."""
        with self._lock:
            entries = [entry for line in self._lines.values() for entry in line.entries]
            for entry in entries:
                self._leave(entry)
        return [entry.message for entry in entries]

    def _leave(self, entry: _Entry) -> bool:
        line = self._lines.get(entry.caller)
        if line is None:
            return False
        index = bisect_left(line.entries, entry.arrived, key=_arrival)
        while index < len(line.entries) and line.entries[index] is not entry:
            index += 1
        if index == len(line.entries):
            return False
        del line.entries[index]
        self._count(line, entry, -1)
        if not line.entries:
            del self._lines[entry.caller]
            if line.alarm is not None:
                self._timer.cancel(line.alarm)
        return True

    def _shed(self, own: _Line) -> list[StreamMessage]:
        """Remove the latest messages of the caller that holds too much."""
        refused = []
        while own.bytes > _CALLER_BYTES or self.bytes > _ALL_BYTES:
            line = own if own.bytes > _CALLER_BYTES else max(self._lines.values(), key=attrgetter("bytes"))
            refused.append(line.entries[-1].message)
            self._leave(line.entries[-1])
        return refused

    def _count(self, line: _Line, entry: _Entry, times: int) -> None:
        line.bytes += times * entry.bytes
        line.sentences += times * len(entry.message.sentences)
        self.bytes += times * entry.bytes

    def _rest(self, caller: Hashable, line: _Line, seconds: float) -> None:
        line.rests_until = self._clock() + seconds
        if line.alarm is not None:
            self._timer.cancel(line.alarm)
        line.alarm = self._timer.later(seconds, partial(self._ask, caller))

    def _freed(self, account: KeyAccount) -> None:
        """Ask for an account's line now: sentences of it have ended, which may have been too many at once."""
        if account.limits.concurrent_sentences is not None and self.is_for_share(account):
            with self._lock:
                if (line := self._lines.get(account)) is not None:
                    self._rest(account, line, 0.0)

    def _ask(self, caller: Hashable) -> None:
        """Try a line's messages again, in order, for as long as their share is there."""
        while (entry := self._first(caller)) is not None:
            try:
                entry.message.charge()
            except QuotaError as error:
                self._wait_longer(entry, error)
                return
            except RequestError:
                pass  # each of its sentences is told once it goes on
            if self.leave(entry):
                self._go_on(entry.message)

    def _first(self, caller: Hashable) -> _Entry | None:
        """Return the first message of a line that may be tried now."""
        with self._lock:
            line = self._lines.get(caller)
            return None if line is None or self._clock() < line.rests_until else line.entries[0]

    def _wait_longer(self, entry: _Entry, error: QuotaError) -> None:
        with self._lock:
            if (line := self._lines.get(entry.caller)) is not None:
                self._rest(entry.caller, line, error.retry_after_s)


def _held_bytes(message: StreamMessage) -> int:
    return _MESSAGE_BYTES + _REQUEST_TIMES * message.size + _SENTENCE_BYTES * len(message.sentences)
