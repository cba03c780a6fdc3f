"""One call of a gRPC server's core with any number of messages each way: read and sent one at a time, from any thread.

A handler that stops asking for messages stops the caller: what is not asked for stays in gRPC's flow control, and so
with the caller. Knows no queue of events, and not what messages mean.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from grpc._cython import cygrpc  # type: ignore[attr-defined]  # has no types

from .call import Call


class Stream(Call):
    """A call that is read and sent to again and again before it is answered or failed."""

    __slots__ = ("_end", "_has_begun", "_is_over", "_is_sending")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._has_begun = self._is_over = self._is_sending = False
        self._end: Callable[[], None] | None = None  # that waits for what is on its way

    def read(self, then: Callable[[bytes | None], None]) -> None:
        """Call `then`, in its turn, with the next message's bytes; None where no more will come. One at a time.

        Nothing comes of a call that is over: `on_cancelled` is for that.
        """

        def arrived(event: Any) -> None:
            self._requests.expect()  # only now: a caller that sends nothing for an hour is ahead of no other
            self._requests.put(then, event.batch_operations[0].message())

        if not self._is_watched:
            self._watch()
        self._start((cygrpc.ReceiveMessageOperation(0),), arrived)

    def send(self, content: bytes, then: Callable[[], None]) -> None:
        """Send a message, and call `then` once it is on the wire, or the caller has gone. One at a time."""
        with self._lock:
            if self._is_over:
                return
            self._is_sending = True
            first = () if self._has_begun else (cygrpc.SendInitialMetadataOperation((), 0),)
            self._has_begun = True
        if not self._start((*first, cygrpc.SendMessageOperation(content, 0)), partial(self._sent, then)):
            self._is_sending = False

    def end(self) -> None:
        """End well, with nothing more to send."""
        self._finish(cygrpc.SendStatusFromServerOperation((), 0, b"", 0))

    def _sent(self, then: Callable[[], None], _: Any) -> None:
        with self._lock:
            self._is_sending = False
            end, self._end = self._end, None
        if end is None:
            then()
        else:
            end()

    def _finish(self, *operations: Any, then: Callable[[Any], None] = lambda _: None) -> None:
        """Send the last of the call, after what is on its way."""
        with self._lock:
            self._is_over = True
            if self._is_sending:
                self._end = partial(self._finish, *operations, then=then)
                return
            self._on_cancelled = None
        first = () if self._has_begun else (cygrpc.SendInitialMetadataOperation((), 0),)
        close = () if self._is_watched else (cygrpc.ReceiveCloseOnServerOperation(0),)
        if not self._start((*first, *operations, *close), then):
            then(None)
