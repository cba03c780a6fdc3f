"""Unary calls on grpcio's event loop: refused before their request is read, or read, handed over and answered."""

import asyncio
from time import monotonic
from typing import cast

import grpc
import grpc.aio

from ..contract import Reason
from .call_registry import Context, Desk, Outcome, deadline


class UnaryCalls:
    """Open unary calls, of which only so many may be."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.places = 0
        """Number of calls that are read, wait, or are taken."""
        self._reading: dict[asyncio.Task[object], float] = {}  # since when; who has been read longest comes first
        self._evicted: dict[asyncio.Task[object], Reason] = {}

    def handler(self, method: int, *, takes_place: bool) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Make gRPC's handler of a method. As one that reads a stream, it comes before the request."""

        async def probe(_: object, context: Context) -> bytes:
            self._desk.begin(context)
            return await self._answer(method, context, takes_place=False)

        async def call(_: object, context: Context) -> bytes:
            began = self._desk.last_begun = self._desk.begin(context)
            if (reason := self._reason_against(context)) is not None:
                await self._desk.refuse(method, began, context, reason)
            self.places += 1
            try:
                return await self._answer(method, context, takes_place=True)
            finally:
                self.places -= 1

        return grpc.stream_unary_rpc_method_handler(call if takes_place else probe)

    def _reason_against(self, context: Context) -> Reason | None:
        desk, end = self._desk, deadline(context)
        if (reason := desk.reason_against_key(context)) is not None:
            return reason
        if desk.is_draining:
            return "draining"
        if end is not None:
            remaining = end - monotonic()
            if remaining <= 0:
                return "expired"
            if desk.exchange.is_hopeless(remaining, len(self._reading)):
                return "late"
        if self.places >= desk.limits.max_calls and not self._evict_one():
            return "full"
        return None

    def drain(self) -> None:
        """End each call whose request hasn't come whole: nothing of it was accepted."""
        for task in list(self._reading):
            self._evict(task, "draining")

    def _evict_one(self) -> bool:
        """End the call whose request has been on its way for longest, if that was too long."""
        task = next(iter(self._reading), None)
        if task is None or monotonic() - self._reading[task] < self._desk.limits.handshake_s:
            return False
        self._evict(task, "slow")
        return True

    def _evict(self, task: "asyncio.Task[object]", reason: Reason) -> None:
        del self._reading[task]
        self._evicted[task] = reason
        task.cancel()

    async def _answer(self, method: int, context: Context, *, takes_place: bool) -> bytes:
        desk, began = self._desk, monotonic()
        try:
            content = await self._read(context, began)
        except asyncio.CancelledError:
            if (reason := self._evicted.pop(task := _this_task(), None)) is not None:
                task.uncancel()
                await desk.refuse(method, began, context, reason)
            desk.record_left(method, began, context)
            raise
        if content is None:
            await desk.refuse(method, began, context, "empty")
        pending = desk.hand_over(method, content, context, began, takes_place=takes_place)
        try:
            outcome: Outcome = await pending.outcome
        except asyncio.CancelledError:
            if desk.give_up(pending):
                desk.record_left(method, began, context)
            raise
        if not isinstance(outcome, bytes):
            await desk.abort(context, outcome)
        return outcome

    async def _read(self, context: Context, began: float) -> bytes | None:
        task = _this_task()
        self._reading[task] = began
        try:
            return await self._desk.read(context)
        finally:
            self._reading.pop(task, None)


def _this_task() -> "asyncio.Task[object]":
    return cast("asyncio.Task[object]", asyncio.current_task())
