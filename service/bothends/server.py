"""Settings to a running server: bind → load → prove → serve → drain → stop.

Ports are bound first, so that a taken one is said at once; nothing is answered before the self-test has passed.
"""

import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from .bundle import Bundle, default_path
from .embedder import Embedder
from .errors import StartupError
from .gate import Gate
from .interceptors import CallInterceptor
from .metrics import Metrics
from .servicer import EmbeddingServicer
from .settings import Settings
from .v1 import embedding_pb2, embedding_pb2_grpc
from .web import WebServer, application

_log = logging.getLogger(__name__)

SERVICE: str = embedding_pb2.DESCRIPTOR.services_by_name["EmbeddingService"].full_name


class Server:
    """One server. `start`, then `wait` until a signal or `request_stop`, then `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._gate = Gate()
        self._ready = False
        self._stop_requested = threading.Event()

    def start(self) -> None:
        """Come up until requests are answered. Raises StartupError or BundleError; then nothing is left running."""
        settings = self.settings
        with _listener(settings.host, settings.http_port, "http_port") as listener:
            self._grpc = self._build_grpc()
            self.port = self._bind_grpc()
            self.http_port: int = listener.getsockname()[1]
            bundle = Bundle.open(settings.bundle or default_path())
            self.embedder = Embedder.load(bundle, settings=settings, metrics=self.metrics)
            self._web = WebServer(application(self.metrics.registry, lambda: self._ready), listener.dup())
        embedding_pb2_grpc.add_EmbeddingServiceServicer_to_server(
            EmbeddingServicer(self.embedder, self.metrics), self._grpc
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._grpc)
        for name in ("", SERVICE):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._web.start()
        self._grpc.start()
        self._ready = True

    def banner(self) -> str:
        """What is served, where, and what to try next: a few lines for a person."""
        embedder, host = self.embedder, self.settings.host
        test = embedder.self_test
        elsewhere = f" --server {host}:{self.port}" if (host, self.port) != ("127.0.0.1", 50051) else ""
        return "\n".join(
            [
                f"bothends {version('bothends')}",
                f"  model      {embedder.config.summary()}",
                f"  device     {embedder.device}, {embedder.workers} at once",
                f"  self-test  {test.sentences} golden sentences are within {test.max_difference:.1e} of PyTorch",
                f"  gRPC       {host}:{self.port}",
                f"  HTTP       http://{host}:{self.http_port}  /metrics /healthz /readyz",
                f'  try        bothends embed{elsewhere} "there will be dragons" "dragons will be there"',
            ]
        )

    @property
    def stop_requested(self) -> bool:
        """Whether somebody has asked the server to stop."""
        return self._stop_requested.is_set()

    def wait(self) -> None:
        """Block until somebody asks the server to stop."""
        self._stop_requested.wait()

    def request_stop(self) -> None:
        """Ask the server to stop; safe from a signal handler."""
        self._stop_requested.set()

    def stop(self) -> bool:
        """Say NOT_SERVING, take nothing new, finish what was accepted within `drain_s`, stop.

        Returns whether everything accepted was answered.
        """
        end = time.monotonic() + self.settings.drain_s
        self._ready = False
        self._health.enter_graceful_shutdown()
        answered = self._gate.close(timeout_s=self.settings.drain_s)
        self._grpc.stop(grace=max(0.0, end - time.monotonic())).wait()
        finished = self.embedder.close(timeout_s=max(0.0, end - time.monotonic()))
        self._web.stop()
        return answered and finished

    def _build_grpc(self) -> grpc.Server:
        settings = self.settings
        return grpc.server(
            ThreadPoolExecutor(settings.max_concurrent_requests, thread_name_prefix="bothends-call"),
            interceptors=[CallInterceptor(self.metrics, self._gate)],
            maximum_concurrent_rpcs=settings.max_concurrent_requests,
            options=[
                ("grpc.so_reuseport", 0),  # else two servers would share a port and neither would say so
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", -1),
            ],
        )

    def _bind_grpc(self) -> int:
        host, port = self.settings.host, self.settings.port
        with _listener(host, port, "port"):  # gRPC itself doesn't say why it can't bind
            pass
        try:
            return self._grpc.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError as error:
            raise StartupError(f"gRPC can't listen on {host}:{port}: {error}") from error


def _listener(host: str, port: int, setting: str) -> socket.socket:
    """A bound socket. Raises StartupError that says why it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        flag = "--" + setting.replace("_", "-")
        raise StartupError(
            f"can't listen on {host}:{port}: {error.strerror}; choose another {flag} or --host"
        ) from error
    return listener
