"""Unary calls on grpcio's event loop: refused before the request is read, or else read, handed over and answered."""

import asyncio
from time import monotonic
from typing import cast

import grpc
import grpc.aio

from ..contract import Reason
from .call_registry import CallRegistry, Context, Outcome, deadline


class UnaryCalls:
    """Open unary calls, up to a limit."""

    def __init__(self, registry: CallRegistry) -> None:
        self._registry = registry
        self.slots = 0
        """Number of calls that are read, wait, or are taken."""
        self._reading: dict[asyncio.Task[object], float] = {}  # since when; who has been read longest comes first
        self._evicted: dict[asyncio.Task[object], Reason] = {}

    def handler(self, method: int, *, is_metered: bool) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Make grpcio's handler of a unary method.

        It is a stream handler, so that it runs before the request is read.
        """

        async def unmetered_call(_: object, context: Context) -> bytes:
            self._registry.begin(context)
            return await self._answer(method, context, is_metered=False)

        async def call(_: object, context: Context) -> bytes:
            began = self._registry.last_begun = self._registry.begin(context)
            if (reason := self._reason_against(context)) is not None:
                await self._registry.refuse(method, began, context, reason)
            self.slots += 1
            try:
                return await self._answer(method, context, is_metered=True)
            finally:
                self.slots -= 1

        return grpc.stream_unary_rpc_method_handler(call if is_metered else unmetered_call)

    def _reason_against(self, context: Context) -> Reason | None:
        registry, end = self._registry, deadline(context)
        if (reason := registry.reason_against_key(context)) is not None:
            return reason
        if registry.is_draining:
            return Reason.draining
        if end is not None and end <= monotonic():
            return Reason.expired
        if self.slots >= registry.settings.max_concurrent_requests and not self._evict_one():
            return Reason.full
        return None

    def drain(self) -> None:
        """End each call whose request hasn't fully arrived: nothing of it was accepted."""
        for task in list(self._reading):
            self._evict(task, Reason.draining)

    def _evict_one(self) -> bool:
        """End the call whose request has been on its way for longest, if that was too long."""
        task = next(iter(self._reading), None)
        if task is None or monotonic() - self._reading[task] < self._registry.settings.caller_timeout_s:
            return False
        self._evict(task, Reason.slow)
        return True

    def _evict(self, task: "asyncio.Task[object]", reason: Reason) -> None:
        del self._reading[task]
        self._evicted[task] = reason
        task.cancel()

    async def _answer(self, method: int, context: Context, *, is_metered: bool) -> bytes:
        registry, began = self._registry, monotonic()
        try:
            content = await self._read(context, began)
        except asyncio.CancelledError:
            if (reason := self._evicted.pop(task := _this_task(), None)) is not None:
                task.uncancel()
                await registry.refuse(method, began, context, reason)
            registry.record_left(method, began, context)
            raise
        if content is None:
            await registry.refuse(method, began, context, Reason.empty)
        pending = registry.hand_over(method, content, context, began, is_metered=is_metered)
        try:
            outcome: Outcome = await pending.outcome
        except asyncio.CancelledError:
            if registry.give_up(pending):
                registry.record_left(method, began, context)
            raise
        if not isinstance(outcome, bytes):
            await registry.abort(context, outcome)
        return outcome

    async def _read(self, context: Context, began: float) -> bytes | None:
        task = _this_task()
        self._reading[task] = began
        try:
            return await self._registry.read(context)
        finally:
            self._reading.pop(task, None)


def _this_task() -> "asyncio.Task[object]":
    return cast("asyncio.Task[object]", asyncio.current_task())
