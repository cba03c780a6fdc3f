"""Handles every call the same way, whatever its protocol: identifies the caller, admits or refuses, parses, times and
counts.

The fronts (one package for each API) provide what each method does.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2
from opentelemetry.trace import Span

from ..core.inputs import SHORT_BYTES
from ..errors import BothendsError, DeadlineError, OverloadedError, Refusal, RequestError, UnauthenticatedError
from ..observe import tracing
from ..observe.metrics import Metrics
from ..observe.tracing import MethodName
from ..observe.unforeseen import error_site
from ..text import printable
from ..wire.counting import holds_more_than
from ..wire.status import to_status
from .concurrency_limit import MAX_WAIT, ConcurrencyLimit
from .context import Asked, CallContext, Settled
from .inbound import Inbound
from .keys import Keys
from .pending_bodies import PendingBodies
from .quota import KeyAccount

_log = logging.getLogger(__name__)
FAR = 2
"""A request of more than this multiple of its limit is refused unread; below that, the error says how much it holds."""
REQUEST_ID = "x-request-id"
"""Header by which callers and proxies name a call: its line in the log repeats the name."""
RequestT = TypeVar("RequestT")
MessageT = TypeVar("MessageT", bound=Message)
Parse = Callable[[bytes], RequestT]
"""Function from bytes to a request. Raises RequestError if they are malformed."""
Behaviour = Callable[[RequestT, CallContext], None]
"""Function that does what a method is for: it settles the call, soon or late, or raises."""


def logs_each_call() -> bool:
    """Return True if every call is logged; each call is then handled separately, so that each has its line."""
    return _log.isEnabledFor(logging.DEBUG)


class Dispatcher:
    """Maker of call handlers: each identifies the caller, applies the concurrency limit, parses, times and counts."""

    def __init__(
        self,
        metrics: Metrics,
        concurrency: ConcurrencyLimit | None,
        wait_s: Callable[[], float],
        keys: Keys | None = None,
        *,
        max_wait_s: float = 10.0,
    ) -> None:
        """`concurrency` limits the calls in progress; it is None if the transport has done that already. `wait_s`
        returns the estimated wait, in seconds, of a sentence that arrives now; calls that can't wait for so long are
        refused.

        `keys` identify callers; None if callers need no key. A request may take `max_wait_s` seconds to arrive while
        others need its slot.
        """
        self._metrics = metrics
        self._concurrency = concurrency
        self._wait_s = wait_s
        self._keys = keys
        self.pending_bodies = PendingBodies(max_wait_s)
        """Callers that are past the gate, and whose requests are still on their way."""

    def handler(
        self,
        method: MethodName,
        parse: Parse[RequestT],
        behaviour: Behaviour[RequestT],
        *,
        in_stream: bool = False,
    ) -> Callable[[Inbound], None]:
        """Make the handler of calls to `method`. `parse` makes the request of its bytes; `behaviour` gets that and the
        call's context, and settles the call, at once or later, or raises.

        `in_stream` is for messages of a stream, since metrics count the stream as a whole.
        """
        self._metrics.register(method.name)
        count = self._count_message if in_stream else self._count
        late = RequestError(f"the request didn't come within {self.pending_bodies.max_wait_s:g} s", field="request")

        def handle(call: Inbound) -> None:
            if (context := self._enter(method, call, count)) is not None:
                context.cancels(self.pending_bodies.add(context, late))  # its request may never be all here
                call.read(partial(begin, context))

        def begin(context: CallContext, content: bytes | None) -> None:
            if not self.pending_bodies.remove(context):
                return  # it had its time
            with context.spending(), context.guarding():
                if content is None:
                    raise RequestError("no request came with the call", field="request")
                if len(content) > SHORT_BYTES and context.account is not None and not in_stream:
                    context.account.check()
                behaviour(parse(content), context)

        return handle

    def open_handler(self, act: Callable[[bytes], bytes]) -> Callable[[Inbound], None]:
        """Make the handler of calls that need no key, aren't counted in metrics, and are answered at once with
        `act(request)`, where request and answer are bytes.
        """

        def begin(call: Inbound, content: bytes | None) -> None:
            try:
                answer = act(content or b"")
            except DecodeError:
                call.fail(to_status(RequestError("the bytes are malformed protobuf", field="request")))
            else:
                call.answer(answer)

        return lambda call: call.read(partial(begin, call))

    def identify(self, call: Inbound) -> KeyAccount | None:
        """Return the account of the call's key, or None if the server needs no keys. Raises UnauthenticatedError."""
        return None if self._keys is None else self._keys.account_of(call.key)

    def _enter(self, method: MethodName, call: Inbound, counter: Callable[..., None]) -> CallContext | None:
        """Admit the call; returns None if it was refused."""
        span = tracing.request(method, call.metadata)
        asked = Asked()
        count = partial(counter, method, call, span, asked)
        try:
            account = self._admit(call)
        except BothendsError as error:  # refused before its request is read: an overload is no time for more
            status = to_status(error)
            call.fail(status)
            count(status.code, error.refusal)
            return None
        return CallContext(call, partial(self._leave, count), span, account, asked)

    def _admit(self, call: Inbound) -> KeyAccount | None:
        """Return the account of the call's key, once the call is inside. Raises what refuses it."""
        account = self.identify(call)
        if self._concurrency is not None:
            self._let_in(call, self._concurrency)
        return account

    def _let_in(self, call: Inbound, concurrency: ConcurrencyLimit) -> None:
        if call.deadline is not None:
            remaining = call.deadline - time.monotonic()
            if remaining <= 0:
                raise DeadlineError("the deadline had passed before the call was looked at")
            wait_s = self._wait_s()
            if wait_s > MAX_WAIT * remaining:
                raise OverloadedError("calls come faster than this server can take them", retry_after_s=wait_s)
        try:
            concurrency.enter()
        except OverloadedError:
            if not self.pending_bodies.evict_one():
                raise
            concurrency.enter()

    def _leave(self, count: Settled, code: int, refused: Refusal | None) -> None:
        try:
            count(code, refused)
        except Exception as error:  # a bug of ours, for which no caller is to wait
            _log.error("a call couldn't be counted: %s", error_site(error))
        finally:
            if self._concurrency is not None:
                self._concurrency.leave()

    def _count_message(
        self, method: MethodName, call: Inbound, span: Span, _: Asked, code: int, refused: Refusal | None
    ) -> None:
        self._metrics.messages(method.name, "python", 1, refusal=refused)
        tracing.answered(span, method, code_pb2.Code.Name(code), call.wire_status(code))

    def _count(
        self, method: MethodName, call: Inbound, span: Span, asked: Asked, code: int, refused: Refusal | None
    ) -> None:
        seconds, name = time.monotonic() - call.arrived, code_pb2.Code.Name(code)
        trace_id = tracing.trace_id(span)
        self._metrics.answered(method.name, name, seconds, refusal=refused, trace_id=trace_id)
        tracing.answered(span, method, name, call.wire_status(code))
        if _log.isEnabledFor(logging.DEBUG):
            told = {"method": method.name, "code": name, "seconds": seconds, "refused": refused}
            told |= {"model": asked.model, "sentences": asked.sentences, "key": self._key_name(call)}
            _log.debug("request", extra=told | {"request_id": _request_id(call), "trace_id": trace_id})

    def _key_name(self, call: Inbound) -> str | None:
        """Return the name of the call's key, for people; None if it has no known key."""
        try:
            account = self.identify(call)
        except UnauthenticatedError:
            return None
        return None if account is None else account.name


def _request_id(call: Inbound) -> str | None:
    """Return the id that the caller, or a proxy, gave the call, safe to print; None if it has none."""
    return next((printable(value) for name, value in call.metadata if name == REQUEST_ID), None)


def protobuf(request_type: type[MessageT], *, max_sentences: int | None = None) -> Parse[MessageT]:
    """Make a parser of messages of `request_type`.

    It refuses a message with far more than `max_sentences` sentences before it builds any object.
    """

    def parse(content: bytes) -> MessageT:
        if max_sentences is not None and holds_more_than(content, FAR * max_sentences):
            raise RequestError(
                f"more than {FAR * max_sentences} sentences came; this server's limit is {max_sentences} a request",
                costs=max_sentences,
            )
        try:
            return request_type.FromString(content)
        except DecodeError:
            raise RequestError(
                f"the bytes are no {request_type.__name__}: malformed protobuf, or text that is no UTF-8",
                field="request",
            ) from None

    return parse
