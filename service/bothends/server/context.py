"""The state of one call. It is settled once, whether an answer, an error or the caller's leaving comes first."""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from google.rpc import code_pb2, status_pb2
from opentelemetry.trace import Span

from ..errors import BothendsError, Refusal, RequestError
from ..observe.unforeseen import error_site
from ..wire.status import to_status
from .answer_budget import AnswerBudget, Share
from .caller import Caller
from .inbound import ChoosesStatus, HasHeaders, Inbound, KeepsRoom, code_of_leaving
from .quota import Account

_log = logging.getLogger(__name__)
_SERVERS_REASONS: frozenset[Refusal] = frozenset(("full", "draining", "unfit"))
"""Refusals that are the server's doing, and take nothing of the caller's share."""
Settled = Callable[[int, Refusal | None], None]
"""Function that is called once, with a call's gRPC status code, and with why it was refused if it was."""


@dataclass(slots=True)
class Asked:
    """What a call asks for, as its line in the log tells it; None of what isn't read, or isn't for sentences."""

    model: str | None = None
    sentences: int | None = None


class Work(Protocol):
    """Work that is done for a caller."""

    def cancel(self) -> object:
        """Stop the work if that is possible; its result isn't wanted any more."""


class _NoWork:
    """Work of a call for which nothing was begun."""

    def cancel(self) -> None:
        """Do nothing."""


_NO_WORK = _NoWork()


class CallContext:
    """State of one call until it is settled. The first of answer, error and the caller's leaving counts."""

    def __init__(
        self,
        call: Inbound,
        settled: Settled,
        span: Span,
        account: Account | None = None,
        asked: Asked | None = None,
    ) -> None:
        self._call = call
        self.asked = asked or Asked()
        """What the call asks for, filled in by whoever has read it."""
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
        """Time of `time.monotonic` at which the caller stops waiting; None for never. Past once it is settled."""
        return self._call.deadline if self._settled is not None else -math.inf

    @property
    def arrived(self) -> float:
        """Time of `time.monotonic` at which the call came; of a stream's message, itself."""
        return self._call.arrived

    @property
    def caller(self) -> Caller:
        """Whoever shares turns with this call: its key's account, or else its connection, in its network."""
        network, number = self._call.caller
        return Caller(network, self.account or number)

    @property
    def payer(self) -> Account | Caller:
        """Whoever has shares and bounds with this call: its key's account, by whatever networks, or else its caller."""
        return self.account or self._call.caller

    @property
    def keeps_room(self) -> bool:
        """True where the answer takes room: its transport doesn't bound what isn't read by itself."""
        return isinstance(self._call, KeepsRoom)

    def keep(self, answer_budget: AnswerBudget, share: Share) -> None:
        """Take room for the answer, where it takes any."""
        if isinstance(self._call, KeepsRoom):
            self._call.keep(answer_budget, share)

    def is_over(self) -> bool:
        """Return True once it is settled: nobody waits for what may still be done."""
        return self._settled is None

    def charge(self, sentences: int, *, extra: int = 0) -> None:
        """Take `sentences` of the caller's share until the call is settled; long ones count `extra` times more.

        Raises QuotaError or RequestError.
        """
        if self.account is None:
            return
        with self._lock:
            if self._settled is not None:
                self.account.take_share(sentences, extra=extra)
                self._charged, self._extra = sentences, extra

    def add_header(self, name: str, value: str) -> None:
        """Add a header to the answer, if the call's protocol has such headers (HTTP)."""
        if isinstance(self._call, HasHeaders):
            self._call.answer_headers[name] = value

    def send(self, content: bytes) -> None:
        """Send the caller `content`, a serialised response, unless the call is settled already."""
        if self._settle(code_pb2.OK) is not None:
            self._call.answer(content)

    def fail(self, error: BothendsError) -> None:
        """Answer with the status of `error`, and cancel what is still done for the call."""
        status = to_status(error)
        if (work := self._settle(status.code, error.refusal, status)) is not None:
            if self.account is not None and isinstance(error, RequestError) and error.costs:
                self.account.pay(error.costs)
            self._call.fail(status)
            work.cancel()

    def cancels(self, work: Work) -> None:
        """Cancel `work` when the caller leaves or the call fails, or now if that has happened."""
        with self._lock:
            left = self._settled is None
            if not left:
                self._work = work
        if left:
            work.cancel()

    def guarding(self) -> "_Guard":
        """Return a context: whatever is raised inside `with` is sent to the caller as the call's error."""
        return _Guard(self)

    def raised(self, error: Exception) -> None:
        """Send the caller `error`; an unexpected one as an internal error without its text."""
        if isinstance(error, BothendsError):
            self.fail(error)
        else:  # a bug of ours: the caller learns of it without a word of its text
            self.fail(BothendsError("internal error"))
            _log.error("a call failed: %s", error_site(error))

    def _cancelled(self) -> None:
        work = self._settle(code_of_leaving(self._call.deadline, self._call.arrived))
        if work is not None:
            work.cancel()

    def _settle(
        self, code: int, refused: Refusal | None = None, failed: status_pb2.Status | None = None
    ) -> Work | None:
        """Settle the call; returns the work that was done for it until now, or None where it was settled before."""
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
