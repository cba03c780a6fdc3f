"""What surrounds every call of any front: the gate, its clock, its count, and errors turned into statuses."""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2
from opentelemetry.trace import Span

from ..errors import BothendsError, DeadlineError, OverloadedError, Refusal, RequestError
from ..observe import tracing
from ..observe.metrics import Metrics
from ..wire.status import to_status
from .gate import Gate
from .inbound import Inbound
from .keys import Keys
from .quota import Account
from .slow_callers import SlowCallers

_log = logging.getLogger(__name__)
_MOST_WAIT = 0.25
"""The share of a call's time that it may be expected to wait. Who would wait longer is refused unread: to serve the
late ones first makes all of them late, for as long as the overload lasts (metastable failure)."""
_SERVERS_REASONS: frozenset[Refusal] = frozenset(("full", "draining", "unfit"))
"""Refusals that take nothing of the caller's share."""
Settled = Callable[[str, Refusal | None], None]
"""Told once how a call ended: its status code, and why it was refused if it was."""
RequestT = TypeVar("RequestT")
CallT = TypeVar("CallT", bound=Inbound)
MessageT = TypeVar("MessageT", bound=Message)
Parse = Callable[[bytes], RequestT]
"""Raises RequestError where the bytes are no request."""


class Work(Protocol):
    """What is done for a caller."""

    def cancel(self) -> object:
        """Nobody waits for it any more."""


class CallContext:
    """What a method owes one call. The first to settle it counts: an answer, an error, or the caller's leaving."""

    def __init__(self, call: Inbound, settled: Settled, span: Span, account: Account | None = None) -> None:
        self._call = call
        self.account = account
        """Whose call it is; None where nobody is asked."""
        self._charged = 0
        self.span = span
        """What tells of the call in a trace."""
        self._settled: Settled | None = settled
        self._work: Work | None = None
        self._lock = threading.Lock()
        call.when_gone(self._gone)

    @property
    def deadline(self) -> float | None:
        """When the caller stops waiting, a time of `time.monotonic`."""
        return self._call.deadline

    def charge(self, sentences: int) -> None:
        """Take so many of the caller's share until the call is settled. Raises QuotaError or RequestError."""
        if self.account is None:
            return
        with self._lock:
            if self._settled is not None:
                self.account.take(sentences)
                self._charged = sentences

    def send(self, content: bytes) -> None:
        """Answer with a serialised response."""
        if self._settle("OK"):
            self._call.answer(content)

    def end(self, act: Callable[[], None]) -> None:
        """Answer by `act`, where there is no response that comes last."""
        if self._settle("OK"):
            act()

    def fail(self, error: BothendsError) -> None:
        """Answer with the status that tells of `error`, and cancel what is still done for the call."""
        status, work = to_status(error), self._work
        if self._settle(code_pb2.Code.Name(status.code), error.refusal):
            self._call.fail(status)
            if work is not None:
                work.cancel()

    def cancels(self, work: Work) -> None:
        """Cancel `work` when the caller leaves or the call fails, or now if that has happened."""
        with self._lock:
            self._work = work
            left = self._settled is None
        if left:
            work.cancel()

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Whatever is raised inside `with` becomes the answer."""
        try:
            yield
        except BothendsError as error:
            self.fail(error)
        except Exception as error:  # a bug of ours: the caller is told, without a word of its text
            self.fail(BothendsError("internal error"))
            _log.error("a call failed: %s", _where(error))

    def _gone(self) -> None:
        deadline = self._call.deadline
        work = self._work
        is_late = deadline is not None and deadline <= time.monotonic()
        if self._settle("DEADLINE_EXCEEDED" if is_late else "CANCELLED") and work is not None:
            work.cancel()

    def _settle(self, code: str, refused: Refusal | None = None) -> bool:
        with self._lock:
            settled, self._settled = self._settled, None
            charged, self._charged = self._charged, 0
            self._work = None  # its callbacks lead back here; a circle would wait for the garbage collector
        if settled is None:
            return False
        if self.account is not None and charged:
            self.account.give_back(charged, unserved=refused in _SERVERS_REASONS)
        settled(code, refused)
        return True


class Dispatcher:
    """Calls to methods: asks whose each is, lets it through the gate, times and counts it, and parses its request."""

    def __init__(
        self,
        metrics: Metrics,
        gate: Gate,
        wait_s: Callable[[], float],
        keys: Keys | None = None,
        *,
        max_wait_s: float = 10.0,
    ) -> None:
        self._metrics = metrics
        self._gate = gate
        self._wait_s = wait_s
        self._keys = keys
        self.slow_callers = SlowCallers(max_wait_s)
        """With those who are inside and whose requests are still on their way."""

    def handler(
        self, method: str, parse: Parse[RequestT], behaviour: Callable[[RequestT, CallContext], None]
    ) -> Callable[[Inbound], None]:
        """What is called for each call of `method`. `behaviour` settles its answer soon or late, or raises."""
        late = RequestError(f"the request didn't come within {self.slow_callers.max_wait_s:g} s", field="request")

        def handle(call: Inbound) -> None:
            if (answer := self._let_in(method, call)) is not None:
                self.slow_callers.add(answer, late)
                call.read(partial(begin, answer))

        def begin(answer: CallContext, content: bytes | None) -> None:
            if not self.slow_callers.remove(answer):
                return  # it had its time
            with answer.guarding():
                if content is None:
                    raise RequestError("no request came with the call", field="request")
                behaviour(parse(content), answer)

        return handle

    def stream(self, method: str, behaviour: Callable[[CallT, CallContext], None]) -> Callable[[CallT], None]:
        """As `handler`, where `behaviour` reads the call itself, and answers it often before it settles its answer."""

        def handle(call: CallT) -> None:
            if (answer := self._let_in(method, call)) is not None:
                with answer.guarding():
                    behaviour(call, answer)

        return handle

    def identify(self, call: Inbound) -> Account | None:
        """Whose call it is. Raises UnauthenticatedError."""
        authorization = next((value for name, value in call.metadata if name == "authorization"), None)
        return None if self._keys is None else self._keys.identify(authorization)

    def _let_in(self, method: str, call: Inbound) -> CallContext | None:
        """What a call is owed; None where it was refused."""
        started = time.perf_counter()
        span = tracing.request(method, call.metadata)
        try:
            account = self._admit(call)
        except BothendsError as error:  # refused before its request is read: an overload is no time for more
            status = to_status(error)
            call.fail(status)
            self._count(method, started, span, code_pb2.Code.Name(status.code), error.refusal)
            return None
        return CallContext(call, partial(self._left, method, started, span), span, account)

    def _admit(self, call: Inbound) -> Account | None:
        """Whose call it is, once it is inside."""
        account = self.identify(call)
        if call.deadline is not None:
            remaining = call.deadline - time.monotonic()
            if remaining <= 0:
                raise DeadlineError("the deadline had passed before the call was looked at")
            wait_s = call.lag_s + self._wait_s()
            if wait_s > _MOST_WAIT * remaining:
                raise OverloadedError("calls come faster than this server can take them", retry_after_s=wait_s)
        try:
            self._gate.enter()
        except OverloadedError:
            if not self.slow_callers.evict_one():
                raise
            self._gate.enter()
        return account

    def _left(self, method: str, started: float, span: Span, code: str, refused: Refusal | None) -> None:
        self._count(method, started, span, code, refused)
        self._gate.leave()

    def _count(self, method: str, started: float, span: Span, code: str, refused: Refusal | None) -> None:
        seconds = time.perf_counter() - started
        self._metrics.answered(method, code, seconds, refusal=refused, trace_id=tracing.trace_id(span))
        tracing.answered(span, code)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("request", extra={"method": method, "code": code, "seconds": seconds, "refused": refused})


def protobuf(request_type: type[MessageT]) -> Parse[MessageT]:
    """Reads messages of `request_type`."""

    def parse(content: bytes) -> MessageT:
        try:
            return request_type.FromString(content)
        except DecodeError:
            raise RequestError(
                f"the bytes are no {request_type.__name__}: malformed protobuf, or text that is no UTF-8",
                field="request",
            ) from None

    return parse


def _where(error: Exception) -> str:
    """Type and place of an unforeseen error. Its text is left out: it may hold a caller's sentence."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno} in {frame.name}"
