"""Settings to a running server: bind → load → prove → serve → drain → stop.

Ports are bound first, so that a taken one is said at once; nothing is answered before the self-test has passed.
"""

import gc
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from queue import SimpleQueue

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from .bundle import Bundle, default_path
from .completion import CallQueue
from .dispatch import Dispatcher
from .embedder import Embedder
from .errors import StartupError
from .gate import Gate
from .keeper import Keeper
from .metrics import Metrics
from .model import Model
from .servicer import SERVICE, EmbeddingServicer
from .settings import Settings, flag
from .versions import newest
from .web import WebServer, application

_log = logging.getLogger(__name__)
_LAST_BYTES_S = 2.0
"""What a stopping server gives callers to read what was sent, once all is."""
_THREADS_END_S = 0.5
_KEEPER_ENDS_S = 10.0
"""Longer than to load a model, which can't be broken off."""
_OTHER_THREADS = 4
"""For health and reflection."""


class Server:
    """One server. `start`, then `wait` until a signal or `request_stop`, then `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._gate = Gate(limit=settings.max_concurrent_requests)
        self._fit = self._stopping = False
        self._stop_requests: SimpleQueue[None] = SimpleQueue()

    def start(self) -> None:
        """Come up until requests are answered. Raises StartupError or BundleError; then nothing is left running."""
        with _listener(self.settings.host, self.settings.http_port, "http_port") as listener, ExitStack() as undo:
            self._grpc = self._build_grpc()
            undo.callback(self._give_back_port)
            self.port = self._bind_grpc()
            self.http_port: int = listener.getsockname()[1]
            self.embedder = self._load()
            undo.callback(self.embedder.close, timeout_s=0)
            self._add_services()
            self._web = WebServer(application(self.metrics.registry, self._is_ready), listener)
            self._web.start()
            undo.pop_all()
        # Whatever start-up made stays: a collection that walked all of it again would hold every thread for 0.1 s.
        gc.collect()
        gc.freeze()
        self._grpc.start()
        self._calls.start()
        self.embedder.attend_to(self._calls)
        self._set_fit(True)
        self._keeper.start()
        model = self.embedder.model
        config, test = model.config, model.self_test
        _log.info("serving", extra={"model": config.name, "version": config.version, "device": model.device,
                                    "port": self.port, "selftest_difference": test.max_difference})  # fmt: skip

    def banner(self) -> str:
        """What is served, where, and what to try next: a few lines for a person."""
        model, host = self.embedder.model, _bracketed(self.settings.host)
        test = model.self_test
        elsewhere = f" --server {host}:{self.port}" if (host, self.port) != ("127.0.0.1", 50051) else ""
        return "\n".join(
            [
                f"bothends {version('bothends')}",
                f"  model      {model.config.summary()}",
                f"  device     {model.device}, {self.embedder.workers} at once",
                f"  self-test  {test.sentences} golden sentences are within {test.max_difference:.1e} of PyTorch",
                f"  gRPC       {host}:{self.port}",
                f"  HTTP       http://{host}:{self.http_port}  /metrics /healthz /readyz",
                f'  try        bothends embed{elsewhere} "there will be dragons" "dragons will be there"',
            ]
        )

    def request_reload(self) -> None:
        """Look for a newer model now, and serve it if it proves itself; safe from a signal handler."""
        self._keeper.reload()

    def wait(self) -> None:
        """Block until somebody asks the server to stop."""
        self._stop_requests.get()

    def request_stop(self) -> None:
        """Ask the server to stop; safe from a signal handler: a SimpleQueue's `put` is, an Event's `set` isn't."""
        self._stop_requests.put(None)

    def stop(self) -> bool:
        """Say NOT_SERVING, take nothing new, finish what was accepted within `drain_s`, stop.

        Returns whether everything accepted was answered.
        """
        self._keeper.close()
        self._stopping = True
        _log.info("draining: what was accepted is finished first", extra={"at_most_s": self.settings.drain_s})
        self._health.enter_graceful_shutdown()
        end = time.monotonic() + self.settings.drain_s
        answered = self._gate.close(timeout_s=self.settings.drain_s)
        sent = self._calls.outbox.wait(max(_THREADS_END_S, end - time.monotonic()))
        self._grpc.stop(grace=_LAST_BYTES_S).wait()  # health watchers would hold a longer one
        self._calls.close()
        finished = self.embedder.close(timeout_s=_THREADS_END_S)
        self._keeper.join(_KEEPER_ENDS_S)
        self._web.stop()
        everything = answered and sent and finished
        _log.info("stopped", extra={"everything_answered": everything})
        return everything

    def _load(self) -> Embedder:
        """The model, and who keeps it fit."""
        settings, root = self.settings, self.settings.bundle or default_path()
        load = partial(Model.load, settings=settings)
        embedder = Embedder(load(Bundle.open(newest(root))), settings=settings, metrics=self.metrics)
        self._keeper = Keeper(
            embedder,
            self.metrics,
            root,
            load,
            selftest_s=settings.selftest_s,
            reload_s=settings.reload_s,
            when_fit=self._set_fit,
        )
        return embedder

    def _is_ready(self) -> bool:
        return self._fit and not self._stopping

    def _set_fit(self, fit: bool) -> None:
        """Say whether the model is to be trusted. (Health that has entered its graceful shutdown stays NOT_SERVING.)"""
        status = health_pb2.HealthCheckResponse
        self._fit = fit
        for name in ("", SERVICE):
            self._health.set(name, status.SERVING if fit else status.NOT_SERVING)

    def _add_services(self) -> None:
        servicer = EmbeddingServicer(self.embedder, self.metrics, max_message_bytes=self.settings.max_message_bytes)
        self._calls = CallQueue(
            self._grpc, servicer.methods(Dispatcher(self.metrics, self._gate, lambda: self.embedder.wait_s))
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._grpc)

    def _build_grpc(self) -> grpc.Server:
        settings = self.settings
        return grpc.server(
            ThreadPoolExecutor(_OTHER_THREADS, "bothends-grpc"),
            options=[
                ("grpc.so_reuseport", 0),  # else two servers would share a port and neither would say so
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", -1),
            ],
        )

    def _give_back_port(self) -> None:
        self._grpc.start()  # gRPC lets go of a bound port only once it has run
        self._grpc.stop(None).wait()

    def _bind_grpc(self) -> int:
        host, port = self.settings.host, self.settings.port
        with _listener(host, port, "port"):  # gRPC itself doesn't say why it can't bind
            pass
        try:
            return self._grpc.add_insecure_port(f"{_bracketed(host)}:{port}")
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
    except (OSError, TypeError, UnicodeError) as error:  # the last two for a host that is no name
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "no such host"
        raise StartupError(
            f"can't listen on {host}:{port}: {reason}; choose another {flag(setting)} or --host"
        ) from error
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
