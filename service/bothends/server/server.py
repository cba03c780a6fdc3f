"""Settings to a running server: bind → load → prove → serve → drain → stop.

Ports are bound first, so that a taken one is said at once; nothing is answered before the self-test has passed.
"""

import gc
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from importlib.metadata import version
from queue import Empty, SimpleQueue

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from starlette.routing import BaseRoute

from ..core.supervisor import Supervisor
from ..observe.metrics import Metrics
from ..settings import Settings
from ..wire.messages import SERVICE
from .dispatch import Dispatcher
from .fronts.bothends.service import EmbeddingService
from .fronts.bothends.stream import EmbedStreams
from .fronts.kserve import service as kserve
from .fronts.openai import service as openai
from .fronts.page.service import Page
from .gate import Gate
from .grpc.completion import CallQueue
from .http.call import BodyLimits
from .http.server import WebServer, application
from .keys import Keys
from .ports import Ports, bracketed
from .responder import Responder

_log = logging.getLogger(__name__)
_LAST_BYTES_S = 2.0
"""What a stopping server gives callers to read what was sent, once all is."""
_THREADS_END_S = 0.5
_WATCHERS = 128
"""Of health, at once; who comes later has no answer until another leaves. Checks need none of these threads."""
_SIGNALS_S = 0.5
"""The longest that a signal goes unnoticed."""
_NO_CERTIFICATES = "HTTP asks its callers for no certificate, as gRPC does here; that needs --api-keys"
_SUPERVISOR_ENDS_S = 10.0
"""Longer than to load a model, which can't be broken off."""


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
        settings = self.settings
        with ExitStack() as undo:
            self._keys = Keys(settings.api_keys, every_s=settings.reload_s) if settings.api_keys else None
            transport = Ports(settings)
            undo.callback(transport.close)
            self._grpc, self.port, self.http_port = transport.grpc, transport.port, transport.http_port
            self._certificates = transport.certificates
            self.embedder, self._supervisor = Supervisor.load(
                settings, self.metrics, on_fitness=self._set_fit, on_reload=self._read_files_anew
            )
            undo.callback(self.embedder.close, timeout_s=0)
            self._responder = Responder(self.embedder, self.metrics)
            self._streams = EmbedStreams(self._responder, self.metrics)
            undo.callback(self._streams.close)
            self._add_services()
            pages = application(
                self.metrics.registry,
                self._is_ready,
                metrics_for=settings.metrics,
                keys=self._keys,
                routes=self._http_routes(),
            )
            self._web = WebServer(pages, transport.listener, settings, transport.certificates)
            self._web.start()
            undo.pop_all()
        # Whatever start-up made stays: a collection that walked all of it again would hold every thread for 0.1 s.
        gc.collect()
        gc.freeze()
        self._grpc.start()
        self._calls.start()
        self.embedder.pull_from(self._calls)
        self._set_fit(True)
        self._supervisor.start()
        model = self.embedder.model
        config, test = model.config, model.self_test
        _log.info("serving", extra={"model": config.name, "version": config.version, "device": model.device,
                                    "port": self.port, "selftest_difference": test.max_difference})  # fmt: skip

    def banner(self) -> str:
        """What is served, where, and what to try next: a few lines for a person."""
        model, host = self.embedder.model, bracketed(self.settings.host)
        test = model.self_test
        options = f" --server {host}:{self.port}" if (host, self.port) != ("127.0.0.1", 50051) else ""
        options += " --ca FILE" if self._certificates else ""
        options += " --api-key-file FILE" if self._keys else ""
        scheme = "https" if self._certificates else "http"
        paths = ["/v1/embeddings"] * self.settings.offers_http_api + ["/metrics", "/healthz", "/readyz"]
        return "\n".join(
            [
                f"bothends {version('bothends')}",
                f"  model      {model.config.summary()}",
                f"  engine     {model.provider} on {model.device}, {self.embedder.workers} at once",
                f"  self-test  {test.sentences} golden sentences are within {test.max_difference:.1e} of PyTorch",
                f"  gRPC       {host}:{self.port}",
                f"  HTTP       {scheme}://{host}:{self.http_port}  {' '.join(paths)}",
                *[f"  page       {scheme}://{host}:{self.http_port}/"] * self.settings.offers_http_api,
                f'  try        bothends embed{options} "there will be dragons" "dragons will be there"',
            ]
        )

    def request_reload(self) -> None:
        """Look for a newer model, keys and certificates now; safe from a signal handler."""
        self._supervisor.reload()

    def wait(self) -> None:
        """Block until somebody asks the server to stop."""
        asked = False
        while not asked:  # a signal that comes just before the wait begins is handled only when it ends
            with suppress(Empty):
                self._stop_requests.get(timeout=_SIGNALS_S)
                asked = True

    def request_stop(self) -> None:
        """Ask the server to stop; safe from a signal handler: a SimpleQueue's `put` is, an Event's `set` isn't."""
        self._stop_requests.put(None)

    def stop(self) -> bool:
        """Say NOT_SERVING, take nothing new, finish what was accepted within `drain_s`, stop.

        Returns whether everything accepted was answered.
        """
        self._supervisor.close()
        self._stopping = True
        _log.info("draining: what was accepted is finished first", extra={"at_most_s": self.settings.drain_s})
        self._health.enter_graceful_shutdown()
        end = time.monotonic() + self.settings.drain_s
        self._streams.drain()
        answered = self._gate.close(timeout_s=self.settings.drain_s)
        outboxes = (self._calls.outbox, self._web.outbox)
        sent = [outbox.wait(max(_THREADS_END_S, end - time.monotonic())) for outbox in outboxes]
        self._grpc.stop(grace=_LAST_BYTES_S).wait()  # health watchers would hold a longer one
        self._calls.close()
        self._streams.close()
        finished = self.embedder.close(timeout_s=_THREADS_END_S)
        self._supervisor.join(_SUPERVISOR_ENDS_S)
        self._web.stop()
        everything = answered and all(sent) and finished
        _log.info("stopped", extra={"everything_answered": everything})
        return everything

    def _read_files_anew(self) -> None:
        for files in (self._keys, self._certificates):
            if files is not None:
                files.reload()

    def _is_ready(self) -> bool:
        return self._fit and not self._stopping

    def _set_fit(self, fit: bool) -> None:
        """Say whether the model is to be trusted. (Health that has entered its graceful shutdown stays NOT_SERVING.)"""
        status = health_pb2.HealthCheckResponse
        self._fit = fit
        for name in ("", SERVICE, kserve.SERVICE):
            self._health.set(name, status.SERVING if fit else status.NOT_SERVING)

    def _dispatcher(self) -> Dispatcher:
        """For one thread's calls at a time; all of them share the gate, the keys and the metrics."""
        return Dispatcher(
            self.metrics,
            self._gate,
            lambda: self.embedder.wait_s,
            self._keys,
            max_wait_s=self.settings.handshake_s,
        )

    def _http_routes(self) -> list[BaseRoute]:
        """What the fronts over HTTP answer. Their calls come in one thread, that of HTTP's event loop."""
        settings = self.settings
        if not settings.http_api:
            return []
        if not settings.offers_http_api:
            _log.warning("the HTTP API isn't offered: %s", _NO_CERTIFICATES)
            return openai.shut(_NO_CERTIFICATES)
        limits, dispatcher = BodyLimits.of(settings), self._dispatcher()
        page = Page(self._responder, self.metrics, self._is_ready, metrics_for=settings.metrics, keys=self._keys)
        return [*openai.OpenAI(self._responder, limits).routes(dispatcher), *page.routes(dispatcher, limits)]

    def _add_services(self) -> None:
        native = EmbeddingService(self._responder, max_message_bytes=self.settings.max_message_bytes)
        inference = kserve.InferenceService(self._responder, self._is_ready)
        dispatcher = self._dispatcher()
        unary = {**native.methods(dispatcher), **inference.methods(dispatcher)}
        self._calls = CallQueue(self._grpc, unary, self._streams.methods(dispatcher))
        self._grpc.add_generic_rpc_handlers((inference.probes(),))
        # By its default a change of status waits for each watcher's stream, and for ever where one leaves meanwhile.
        watchers = ThreadPoolExecutor(_WATCHERS, "bothends-health")
        self._health = health.HealthServicer(experimental_non_blocking=False, experimental_thread_pool=watchers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        if self.settings.reflection:
            _add_reflection(self._grpc)


def _add_reflection(server: grpc.Server) -> None:
    """In threads of its own: a caller keeps one for as long as its stream is open, and health must answer meanwhile."""
    servicer = reflection.ReflectionServicer((SERVICE, kserve.SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME))
    behaviour = partial(servicer.ServerReflectionInfo)  # to which gRPC's mark can be fixed
    behaviour.experimental_thread_pool = ThreadPoolExecutor(2, "bothends-reflection")  # type: ignore[attr-defined]
    servicer.ServerReflectionInfo = behaviour
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
