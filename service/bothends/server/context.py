"""State of one call, which is settled exactly once: by an answer, an error, or the caller's leaving."""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from google.rpc import code_pb2, status_pb2
from opentelemetry.trace import Span

from ..batching.request import Ticket
from ..errors import BothendsError, Refusal, RequestError
from ..observe.unforeseen import error_site
from ..wire.status import to_status
from .caller import Caller
from .inbound import ChoosesStatus, HasHeaders, HasPath, HasTicket, Inbound, code_of_leaving
from .quota import KeyAccount
from .thread_times import ThreadTimes

_log = logging.getLogger(__name__)
_SERVERS_REASONS: frozenset[Refusal] = frozenset(("full", "draining", "unfit"))
"""Refusals that are the server's doing, and take nothing of the caller's share."""
Settled = Callable[[int, Refusal | None], None]
"""Function that is called once, with a call's gRPC status code, and with why it was refused if it was."""


@dataclass(slots=True)
class Asked:
    """What a call asks for, as its log line shows it.

    A field is None if it wasn't read or doesn't apply to the method.
    """

    model: str | None = None
    sentences: int | None = None


class Work(Protocol):
    """What was begun for a call, and can be cancelled once the call ends without it: its caller left, or it failed."""

    def cancel(self) -> object:
        """Stop the work if possible, because its result is no longer wanted."""


class _NoWork:
    """Placeholder for a call for which no work was started."""

    def cancel(self) -> None:
        """Do nothing."""


_NO_WORK = _NoWork()


class CallContext:
    """State of one call until it is settled by the first of an answer, an error, or the caller's leaving."""

    def __init__(
        self,
        call: Inbound,
        settled: Settled,
        span: Span,
        account: KeyAccount | None = None,
        asked: Asked | None = None,
    ) -> None:
        self._call = call
        self.asked = asked or Asked()
        """What the call asks for, filled in once the request is parsed."""
        self.account = account
        """Account of the call's key; None where callers need no key."""
        self._charged = self._extra = 0
        self.span = span
        """Span of the call in a trace."""
        self._settled: Settled | None = settled
        self._work: Work = _NO_WORK
        self._lock = threading.Lock()
        call.on_cancelled(self._cancelled)

    @property
    def deadline(self) -> float | None:
        """Time (by `time.monotonic`) at which the caller stops waiting; None if never.

        In the past once the call is settled.
        """
        return self._call.deadline if self._settled is not None else -math.inf

    @property
    def arrived(self) -> float:
        """Time (by `time.monotonic`) at which the call arrived.

        For a message of a stream, when that message arrived.
        """
        return self._call.arrived

    @property
    def ticket(self) -> Ticket | None:
        """The call's place in the turns of its transport's callers; None where the transport has no turns."""
        return self._call.ticket if isinstance(self._call, HasTicket) else None

    @property
    def payer(self) -> KeyAccount | Caller:
        """Identity that quotas and bounds apply to: the key's account, across networks, or without a key the caller."""
        return self.account or self._call.caller

    def is_over(self) -> bool:
        """Return True once the call is settled, and nobody waits for its result."""
        return self._settled is None

    def charge(self, sentences: int, *, extra: int = 0) -> None:
        """Count `sentences` against the caller's quota until the call is settled; `extra` is added for long sentences.

        Raises QuotaError, or RequestError for a request that is larger than the quota ever allows.
        """
        if self.account is None:
            return
        with self._lock:
            if self._settled is not None:
                self.account.take_share(sentences, extra=extra)
                self._charged, self._extra = sentences, extra

    def spending(self) -> "_Spending":
        """Return a context manager that charges the caller with what the thread uses inside it, until the call is
        settled, and then has that as its `seconds`.
        """
        return _Spending(self._call.times, self._charge_spent)

    def header(self, name: str) -> str | None:
        """Return the text that came with the call as header `name`, in lower case; None if none did."""
        return next((value for key, value in self._call.metadata if key == name and isinstance(value, str)), None)

    def path_param(self, name: str) -> str:
        """Return the part of the call's path that its route calls `name`; empty if it has none."""
        return self._call.path_params.get(name, "") if isinstance(self._call, HasPath) else ""

    def add_header(self, name: str, value: str) -> None:
        """Add a header to the answer, if the call's protocol has per-answer headers (HTTP)."""
        if isinstance(self._call, HasHeaders):
            self._call.answer_headers[name] = value

    def send(self, content: bytes) -> None:
        """Send the caller `content`, a serialised response. Does nothing if the call is already settled."""
        if self._settle(code_pb2.OK) is not None:
            self._call.answer(content)

    def fail(self, error: BothendsError) -> None:
        """End the call with the status of `error`, and cancel the work that is still done for it."""
        status = to_status(error)
        if (work := self._settle(status.code, error.refusal, status)) is not None:
            if self.account is not None and isinstance(error, RequestError) and error.costs:
                self.account.pay(error.costs)
            self._call.fail(status)
            work.cancel()

    def cancels(self, work: Work) -> None:
        """Cancel `work` when the caller leaves or the call fails; at once if either has already happened."""
        with self._lock:
            left = self._settled is None
            if not left:
                self._work = work
        if left:
            work.cancel()

    def guarding(self) -> "_Guard":
        """Return a context manager that sends any exception raised inside it to the caller, as the call's error."""
        return _Guard(self)

    def raised(self, error: Exception) -> None:
        """End the call with `error`. An unexpected exception is reported as an internal error without its text."""
        if isinstance(error, BothendsError):
            self.fail(error)
        else:  # a bug of ours: the caller learns of it without a word of its text
            self.fail(BothendsError("internal error"))
            _log.error("a call failed: %s", error_site(error))

    def _charge_spent(self) -> None:
        """Charge what this thread has used since it was last asked, if it works for the call and that isn't settled."""
        if self._settled is not None and (seconds := self._call.times.take()) > 0:
            self._call.charge(seconds)

    def _cancelled(self) -> None:
        work = self._settle(code_of_leaving(self._call.deadline, self._call.arrived))
        if work is not None:
            work.cancel()

    def _settle(
        self, code: int, refused: Refusal | None = None, failed: status_pb2.Status | None = None
    ) -> Work | None:
        """Settle the call; returns the work that was done for it until now, or None if it was already settled."""
        self._charge_spent()  # before its caller can come again
        with self._lock:
            settled, self._settled = self._settled, None
            charged, self._charged = self._charged, 0
            # Its callbacks lead back here; a circle would wait for the garbage collector.
            work, self._work = self._work, _NO_WORK
        if settled is None:
            return None
        if self.account is not None and charged:
            self.account.give_back(charged, extra=self._extra, unserved=refused in _SERVERS_REASONS)
        if failed is not None and isinstance(self._call, ChoosesStatus):
            self._call.ends_with(failed)
        settled(code, refused)
        return work


class _Spending:
    """The context of `spending`. Inside another one of the same call and thread, it goes on measuring for that."""

    __slots__ = ("_before", "_charge", "_is_outer", "_times", "seconds")

    def __init__(self, times: ThreadTimes, charge: Callable[[], None]) -> None:
        self._times = times
        self._charge = charge

    def __enter__(self) -> Self:
        self._is_outer = self._times.begin()
        self._before = self._times.used
        return self

    def __exit__(self, *_: object) -> None:
        self._charge()
        self.seconds = self._times.used - self._before
        if self._is_outer:
            self._times.end()


class _Guard:
    """The context of `guarding`. A class costs less than contextlib's generators."""

    __slots__ = ("_context",)

    def __init__(self, context: CallContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if isinstance(error, Exception):
            self._context.raised(error)
            return True
        return False
