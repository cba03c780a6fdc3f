"""Settings to a running server: bind → load → prove → serve → drain → stop.

Ports are bound first, so that a taken one is reported at once; nothing is answered before the self-test has passed.
"""

import logging
import time
from contextlib import ExitStack, suppress
from importlib.metadata import version
from queue import Empty, SimpleQueue

from starlette.routing import BaseRoute

from ..observe.metrics import Metrics
from ..settings import Settings
from ..wire.messages import SERVICE
from .fronts.bothends.service import EmbeddingService
from .fronts.bothends.stream import EmbedStreams
from .fronts.kserve import service as kserve
from .fronts.openai import service as openai
from .fronts.page.service import Page
from .grpc.completion import CallQueue
from .grpc.standard import Health, add_reflection
from .http.call import BodyLimits
from .http.server import WebServer, application
from .keys import Keys
from .ports import Ports, bracketed
from .service import Service

_log = logging.getLogger(__name__)
LAST_BYTES_S = 2.0
"""Time that a stopping server gives callers to read what was sent, once all is."""
THREADS_END_S = 0.5
"""Time that a stopping server gives responses to leave, and threads to end, after its drain."""
_SIGNALS_S = 0.5
"""The longest that a signal goes unnoticed."""
_SERVICES = (SERVICE, kserve.SERVICE)
_NO_CERTIFICATES = "HTTP asks its callers for no certificate, as gRPC does here; that needs --api-keys"


class Server:
    """One server. `start`, then `wait` until a signal or `request_stop`, then `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._stop_requests: SimpleQueue[None] = SimpleQueue()

    def start(self) -> None:
        """Come up until requests are answered. Raises StartupError or BundleError; then nothing is left running."""
        settings = self.settings
        with ExitStack() as undo:
            keys = Keys.load(settings)
            ports = Ports(settings)
            undo.callback(ports.close)
            self._grpc, self.port, self.http_port = ports.grpc, ports.port, ports.http_port
            self._certificates = ports.certificates
            self.service = Service.load(
                settings,
                self.metrics,
                keys=keys,
                on_fitness=lambda fit: self._health.set_fit(fit),
                on_reload=ports.certificates.reload if ports.certificates else lambda: None,
            )
            undo.callback(self.service.close, timeout_s=0)
            self.streams = EmbedStreams(self.service.responder, self.metrics)
            undo.callback(self.streams.close)
            self._add_grpc_services()
            pages = application(
                self.metrics.registry,
                self.service.is_ready,
                metrics_for=settings.metrics,
                keys=keys,
                routes=self._http_routes(),
            )
            self._web = WebServer(pages, ports.listener, settings, ports.certificates)
            self._web.start()
            undo.pop_all()
        self.service.start(self._let_calls_in)
        model = self.service.embedder.model
        config, test = model.config, model.self_test
        _log.info("serving", extra={"model": config.name, "version": config.version, "device": model.device,
                                    "port": self.port, "selftest_difference": test.max_difference})  # fmt: skip

    @property
    def http_connections(self) -> int:
        """Number of open connections to the HTTP port."""
        return self._web.connections

    def banner(self) -> str:
        """Describe what is served, where, and what to try next: a few lines for a person."""
        embedder, host = self.service.embedder, bracketed(self.settings.host)
        model = embedder.model
        test = model.self_test
        options = f" --server {host}:{self.port}" if (host, self.port) != ("127.0.0.1", 50051) else ""
        options += " --ca FILE" if self._certificates else ""
        options += " --api-key-file FILE" if self.service.keys else ""
        scheme = "https" if self._certificates else "http"
        paths = ["/v1/embeddings"] * self.settings.offers_http_api + ["/metrics", "/healthz", "/readyz"]
        return "\n".join(
            [
                f"bothends {version('bothends')}",
                f"  model      {model.config.summary()}",
                f"  engine     {model.provider} on {model.device}, {embedder.workers} at once",
                f"  self-test  {test.sentences} golden sentences are within {test.max_difference:.1e} of PyTorch",
                f"  gRPC       {host}:{self.port}",
                f"  HTTP       {scheme}://{host}:{self.http_port}  {' '.join(paths)}",
                *[f"  page       {scheme}://{host}:{self.http_port}/"] * self.settings.offers_http_api,
                f'  try        bothends embed{options} "there will be dragons" "dragons will be there"',
            ]
        )

    def request_reload(self) -> None:
        """Look for a newer model, keys and certificates now; safe from a signal handler."""
        self.service.request_reload()

    def wait(self) -> None:
        """Block until `request_stop` is called."""
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

        Returns True if everything accepted was answered.
        """
        self.service.begin_stop()
        _log.info("draining: what was accepted is finished first", extra={"at_most_s": self.settings.drain_s})
        self._health.drain()
        end = time.monotonic() + self.settings.drain_s
        self.streams.drain()
        answered = self.service.drain(self.settings.drain_s)
        outboxes = (self._calls.outbox, self._web.outbox)
        sent = [outbox.wait(max(THREADS_END_S, end - time.monotonic())) for outbox in outboxes]
        self._grpc.stop(grace=LAST_BYTES_S).wait()  # health watchers would hold a longer one
        self._calls.close()
        self.streams.close()
        finished = self.service.close(timeout_s=THREADS_END_S)
        self._web.stop()
        everything = answered and all(sent) and finished
        _log.info("stopped", extra={"everything_answered": everything})
        return everything

    def _let_calls_in(self) -> None:
        """Start what takes gRPC's calls; HTTP's thread runs already."""
        self._grpc.start()
        self._calls.start()
        self.service.embedder.pull_from(self._calls)

    def _http_routes(self) -> list[BaseRoute]:
        """List the paths that fronts answer over HTTP. Their calls come in one thread, that of HTTP's event loop."""
        service, settings = self.service, self.settings
        if not settings.http_api:
            return []
        if not settings.offers_http_api:
            _log.warning("the HTTP API isn't offered: %s", _NO_CERTIFICATES)
            return openai.shut(_NO_CERTIFICATES)
        limits, dispatcher = BodyLimits.of(settings), service.dispatcher()
        page = Page(service.responder, self.metrics, service.is_ready, metrics_for=settings.metrics, keys=service.keys)
        return [*openai.OpenAI(service.responder, limits).routes(dispatcher), *page.routes(dispatcher, limits)]

    def _add_grpc_services(self) -> None:
        responder = self.service.responder
        native = EmbeddingService(responder, max_message_bytes=self.settings.max_message_bytes)
        inference = kserve.InferenceService(responder, self.service.is_ready)
        dispatcher = self.service.dispatcher()
        unary = {**native.methods(dispatcher), **inference.methods(dispatcher)}
        self._calls = CallQueue(self._grpc, unary, self.streams.methods(dispatcher))
        self._grpc.add_generic_rpc_handlers((inference.probes(),))
        self._health = Health(self._grpc, _SERVICES)
        if self.settings.reflection:
            add_reflection(self._grpc, _SERVICES)
