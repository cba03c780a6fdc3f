"""HTTP request in the form of a call that dispatch.py takes. Its body is read within bounds; any thread may answer it.

Each front provides what the call does, and the format of its errors.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from google.rpc import code_pb2, status_pb2
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...core.inputs import SHORT_BYTES
from ...errors import DeadlineError
from ...settings import ListenerSettings
from ...wire.status import to_status
from ..budget import ByteBudget
from ..caller import Caller
from ..inbound import Inbound, Metadata
from ..keys import digest
from ..sockets import network
from ..thread_times import ThreadTimes
from .body import BodyTurns, read_json
from .contract import ACCOUNT, ADMITTED, CALLER, Account, Admission
from .failure import JSON, RenderError, StatusOf, UnfitError, crowded, failure, late, status_of

_TIMEOUT = "x-stainless-read-timeout"
"""Header in which OpenAI's clients say how many seconds they wait for an answer."""

Handle = Callable[[Inbound], None]
"""Handler that a dispatcher makes of one method."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds on the body of one request."""

    bytes: int
    body_s: float
    """Seconds that its body may take to come."""
    budget: ByteBudget = field(default_factory=ByteBudget)
    """Bound on the bytes of all bodies that haven't come whole."""
    turns: BodyTurns = field(default_factory=BodyTurns)
    """Turns for reading bodies, shared by all requests."""
    inflated_bytes: int = 0
    """Size that a gzip body may have when inflated; 0 if gzip is refused."""
    of_any_type: bool = False
    """True if a body is read as JSON whatever its content-type is."""

    @classmethod
    def of(cls, settings: ListenerSettings) -> "BodyLimits":
        """Return the limits that `settings` give."""
        return cls(settings.max_message_bytes, settings.caller_timeout_s, inflated_bytes=settings.max_inflated_bytes)


class HttpInbound:
    """`Inbound` for an HTTP request.

    The request of a POST is its JSON body; that of a GET is the `{name}` part of its path.
    """

    def __init__(
        self, scope: Scope, limits: BodyLimits, render_error: RenderError, status_of: StatusOf = status_of
    ) -> None:
        self._request = Request(scope)
        self._limits = limits
        self._render_error = render_error
        self._status_of = status_of
        self._failed = status_pb2.Status()
        self._loop = asyncio.get_running_loop()
        self._response: asyncio.Future[Response] = self._loop.create_future()
        self._then: Callable[[bytes | None], None] | None = None
        self._on_cancelled: Callable[[], None] | None = None
        self._unfit: UnfitError | None = None
        self.metadata: Metadata = self._request.headers.items()
        self.answer_headers: dict[str, str] = {}
        self.path_params: Mapping[str, str] = self._request.path_params
        self._host = self._request.client.host if self._request.client else ""
        self.caller = scope.get("extensions", {}).get(CALLER) or Caller(network(self._host), self._host)
        account: Account | None = scope.get("extensions", {}).get(ACCOUNT)
        self._account = self.ticket = account
        self.times = ThreadTimes() if account is None else account.times
        admission: Admission | None = scope.get("extensions", {}).get(ADMITTED)
        self._admission = admission
        self.arrived = time.monotonic() if admission is None else admission.arrived
        self.deadline = _deadline(self._request.headers.get(_TIMEOUT)) if admission is None else admission.deadline

    @property
    def key(self) -> bytes | None:
        """SHA-256 of the key that came with the call; None if there was none."""
        return digest(self._request.headers.get("authorization")) if self._admission is None else self._admission.key

    async def serve(self, handle: Handle, receive: Receive, send: Send) -> None:
        """Handle the call, from the request's headers to the last byte of the response."""
        try:
            handle(self)
            if (then := self._then) is not None:
                self._then = None  # it leads back here; a circle would wait for the garbage collector
                content = await self._content(receive)
                if len(content or b"") > SHORT_BYTES:  # others are still to be answered meanwhile
                    self._loop.run_in_executor(None, then, content)
                else:
                    then(content)
                if content is not None:  # else there may be more of its body to come, which isn't wanted
                    await self._settled(receive)
            response = await self._response
            await response(self._request.scope, receive, send)
        except ClientDisconnect:
            pass  # there is no caller to answer
        finally:
            self._cancel()

    def read(self, then: Callable[[bytes | None], None]) -> None:
        """Call `then` with the request's bytes, long ones in another thread; with None if the body is refused or
        doesn't arrive.
        """
        self._then = then

    def charge(self, seconds: float) -> None:
        """Count `seconds` of a core against the caller's turns, where the transport has turns."""
        if self._account is not None:
            self._account.charge(seconds)

    def answer(self, content: bytes) -> None:
        """Send `content`, which is JSON."""
        self._settle(Response(content, headers=self.answer_headers, media_type=JSON))

    def ends_with(self, status: status_pb2.Status) -> None:
        """Record the status that `fail` is going to send, so that metrics can count it first."""
        self._failed = status

    def fail(self, status: status_pb2.Status) -> None:
        """Send `status` as an error in the front's format."""
        self._failed = status
        said = failure(status, self._render_error, status_of=self._status_of, unfit=self._unfit)
        self._settle(Response(said.content, said.code, said.headers))

    def wire_status(self, code: int) -> int | None:
        """Return the HTTP status for a call that ends with this gRPC status code; None if the caller has left."""
        if code == code_pb2.CANCELLED:
            return None
        if self._unfit:
            return self._unfit.code
        return self._status_of(self._failed if self._failed.code == code else status_pb2.Status(code=code))

    def on_cancelled(self, then: Callable[[], None]) -> None:
        """Call `then`, in the event loop, when the caller leaves or its deadline passes."""
        self._on_cancelled = then

    async def _content(self, receive: Receive) -> bytes | None:
        """Read the request's bytes; returns None where `fail`, which comes next, says why. Raises ClientDisconnect."""
        if self._request.method != "POST":
            return "".join(self._request.path_params.values()).encode()
        self._unfit = late(self._limits.body_s)  # what a call is told that gives way while its body comes
        try:
            async with asyncio.timeout(self._limits.body_s) as timer:
                with self._limits.budget.arrival(network(self._host), lambda: timer.reschedule(0)) as arrival:
                    request = Request(self._request.scope, receive)
                    limits = self._limits
                    content = await read_json(
                        request,
                        max_bytes=limits.bytes,
                        max_inflated=limits.inflated_bytes,
                        turns=limits.turns,
                        count=arrival.add,
                        of_any_type=limits.of_any_type,
                    )
        except TimeoutError:
            if arrival.is_shed:
                self._unfit = crowded()
        except UnfitError as error:
            self._unfit = UnfitError(error.code, error.message)  # its traceback would hold this call
        else:
            self._unfit = None
            return content
        return None

    async def _settled(self, receive: Receive) -> None:
        """Wait for the response. Raises ClientDisconnect if the caller leaves before."""
        left = asyncio.ensure_future(_leaving(receive))
        remaining = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        await asyncio.wait((left, self._response), timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        if self._response.done():
            left.cancel()
        elif left.done():
            raise ClientDisconnect
        else:
            left.cancel()
            self._cancel()  # first, so that its slots are free once the caller knows
            self.fail(to_status(DeadlineError("the deadline passed before the answer was ready")))

    def _cancel(self) -> None:
        then, self._on_cancelled = self._on_cancelled, None
        if then is not None:
            then()

    def _settle(self, response: Response) -> None:
        def settle() -> None:
            if not self._response.done():
                self._response.set_result(response)

        with suppress(RuntimeError):  # the loop is closed: the server has stopped
            self._loop.call_soon_threadsafe(settle)


async def _leaving(receive: Receive) -> None:
    """Wait until the caller leaves; drop a body that wasn't asked for."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _deadline(seconds: str | None) -> float | None:
    """Compute when a caller that sends this header stops waiting; what makes no sense is no deadline."""
    try:
        remaining = float(seconds or "inf")
    except ValueError:
        return None
    return time.monotonic() + remaining if math.isfinite(remaining) else None
