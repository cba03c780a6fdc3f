"""grpc.health.v1 on grpcio's event loop.

The `grpc_health` package's asyncio servicer holds a lock while it writes, so that one watcher that doesn't read would
block all changes. This one doesn't.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from .call_registry import Context
from .peers import network_of

_WATCHERS = 1024
"""Streams that watch at once; one more is refused."""
_WATCHERS_OF_ONE = 256
"""Streams of one network's that watch at once: no stranger keeps health from all others."""
_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # has no types
    """Health of each of `services`: SERVING or NOT_SERVING. All start as NOT_SERVING."""

    def __init__(self, services: Iterable[str]) -> None:
        self._statuses = dict.fromkeys(services, _NOT_SERVING)
        self._is_draining = False
        self._changed = asyncio.Event()
        self._watchers: Counter[bytes] = Counter()

    def set_serving(self, serving: bool, services: Iterable[str] | None = None) -> None:
        """Set the health of these services (None: all): SERVING if `serving`, else NOT_SERVING. Does nothing once the
        server drains.
        """
        status = _SERVING if serving and not self._is_draining else _NOT_SERVING
        for service in list(self._statuses) if services is None else services:
            self._statuses[service] = status
        self._changed.set()
        self._changed = asyncio.Event()

    def drain(self) -> None:
        """Report NOT_SERVING from now on."""
        self._is_draining = True
        self.set_serving(False)

    async def Check(  # noqa: N802  gRPC's name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Return the status of a service; NOT_FOUND for an unknown one."""
        if request.service not in self._statuses:
            await context.abort(grpc.StatusCode.NOT_FOUND, "this service isn't here")
        return self._response(request)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802
        """Send the status of a service now and at each change."""
        caller = network_of(context.peer())
        if self._watchers.total() >= _WATCHERS or self._watchers[caller] >= _WATCHERS_OF_ONE:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many watch health")
        self._watchers[caller] += 1
        try:
            told = None
            while True:
                changed, now = self._changed, self._response(request)
                if now != told:
                    await context.write(now)
                    told = now
                await changed.wait()
        finally:
            self._watchers[caller] -= 1
            if not self._watchers[caller]:
                del self._watchers[caller]

    def _response(self, request: health_pb2.HealthCheckRequest) -> health_pb2.HealthCheckResponse:
        unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        return health_pb2.HealthCheckResponse(status=self._statuses.get(request.service, unknown))
