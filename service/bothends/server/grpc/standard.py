"""Health and reflection, gRPC's standard services, each in threads of its own. Knows no call of ours."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

_WATCHERS = 128
"""Streams that watch health at once; a later one has no answer until another ends. Checks need no thread of these."""
_REFLECTIONS = 2


class Health:
    """grpc.health.v1 of a server and of its `services`, all of which are fit or aren't."""

    def __init__(self, server: grpc.Server, services: Sequence[str]) -> None:
        """Add the service to `server`, before it starts."""
        self._names = ("", *services)
        # By its default a change of status waits for each watcher's stream, and for ever where one leaves meanwhile.
        watchers = ThreadPoolExecutor(_WATCHERS, "bothends-health")
        self._servicer = health.HealthServicer(experimental_non_blocking=False, experimental_thread_pool=watchers)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def set_fit(self, fit: bool) -> None:
        """Say SERVING, or NOT_SERVING. After `drain`, it stays NOT_SERVING."""
        status = health_pb2.HealthCheckResponse
        for name in self._names:
            self._servicer.set(name, status.SERVING if fit else status.NOT_SERVING)

    def drain(self) -> None:
        """Say NOT_SERVING from now on."""
        self._servicer.enter_graceful_shutdown()


def add_reflection(server: grpc.Server, services: Sequence[str]) -> None:
    """Add reflection of `services`, of health and of itself.

    A caller keeps a thread for as long as its stream is open, and health must answer meanwhile.
    """
    servicer = reflection.ReflectionServicer((*services, health.SERVICE_NAME, reflection.SERVICE_NAME))
    behaviour = partial(servicer.ServerReflectionInfo)  # to which gRPC's mark can be fixed
    behaviour.experimental_thread_pool = ThreadPoolExecutor(  # type: ignore[attr-defined]
        _REFLECTIONS, "bothends-reflection"
    )
    servicer.ServerReflectionInfo = behaviour
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
