"""Settings to a running server: bind → load → prove → serve → drain → stop.

Ports are bound first, so that a taken one is reported at once; nothing is answered before the self-test has passed.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib.metadata import version
from queue import Empty, SimpleQueue
from typing import get_args

from starlette.routing import BaseRoute

from ..observe import tracing
from ..observe.metrics import Metrics
from ..settings import Settings
from ..wire.messages import SERVICE
from .fronts.bothends.service import EmbeddingService
from .fronts.bothends.stream import EmbedStreams
from .fronts.kserve import service as kserve
from .fronts.openai import service as openai
from .fronts.page.service import Page
from .gate import linger
from .grpc.calls import Calls, Route
from .grpc.contract import Front, FrontName, Listener, Method, Reason
from .grpc.reflection import NAMES as REFLECTION
from .grpc.reflection import reflecting
from .grpc.refusals import statuses
from .grpc.select import limits
from .http.call import BodyLimits
from .http.server import WebServer, application
from .keys import Keys
from .ports import Ports
from .service import Service
from .sockets import bracketed

_log = logging.getLogger(__name__)
LAST_BYTES_S = 2.0
"""Time that a stopping server gives callers to read what was sent, once all is."""
THREADS_END_S = 0.5
"""Time that a stopping server gives responses to leave, and threads to end, after its drain."""
_SIGNALS_S = 0.5
"""The longest that a signal goes unnoticed."""
_SERVICES = (SERVICE, kserve.SERVICE)
_HEADERS = ("authorization", *tracing.HEADERS)
"""Headers of gRPC's that calls are looked at for."""
_FRONTS: dict[FrontName, str] = {"native": "the native front", "grpcio": "grpcio"}
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
            self.port, self.http_port, self.front = ports.grpc.port, ports.http_port, ports.front
            self._certificates = ports.certificates
            self.service = Service.load(
                settings,
                self.metrics,
                keys=keys,
                on_fitness=lambda fit: self.grpc.set_serving(fit),
                on_reload=lambda: self._reload(ports),
            )
            undo.callback(self.service.close, timeout_s=0)
            self.streams = EmbedStreams(self.service.responder, self.metrics)
            undo.callback(self.streams.close)
            self._add_grpc_services(ports.grpc)
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
                                    "front": self.front, "port": self.port,
                                    "selftest_difference": test.max_difference})  # fmt: skip

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
                f"  gRPC       {host}:{self.port}  by {_FRONTS[self.front]}",
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
        end = time.monotonic() + self.settings.drain_s
        self.grpc.drain()
        self.streams.drain()
        answered = self.service.drain(self.settings.drain_s)
        sent = [
            wait(max(THREADS_END_S, end - time.monotonic())) for wait in (self._web.outbox.wait, self.grpc.wait_idle)
        ]
        linger(self._quiet_s, timeout_s=end - time.monotonic())
        self.grpc.stop(LAST_BYTES_S)  # health watchers would hold a longer one
        self.streams.close()
        finished = self.service.close(timeout_s=THREADS_END_S)
        self._web.stop()
        everything = answered and all(sent) and finished
        _log.info("stopped", extra={"everything_answered": everything})
        return everything

    def _quiet_s(self) -> float:
        """Return the seconds since a caller was last refused."""
        return min(self.grpc.quiet_s(), self.service.gate.quiet_s())

    def _let_calls_in(self) -> None:
        """Start what takes gRPC's calls; HTTP's thread runs already."""
        self.grpc.start()
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

    def _add_grpc_services(self, listener: Listener) -> None:
        service, dispatcher = self.service, self.service.dispatcher_behind()
        most = self.settings.max_message_bytes
        native = EmbeddingService(service.responder, max_message_bytes=most, front=self.front)
        inference = kserve.InferenceService(service.responder, service.is_ready)
        unary = {**native.methods(dispatcher), **inference.methods(dispatcher)}
        together = {**native.batch_methods(dispatcher), **inference.batch_methods(dispatcher)}
        routes = [Route(Method(name), handle, _counted(name), together.get(name)) for name, handle in unary.items()]
        for name, handle in self.streams.methods(dispatcher).items():
            routes.append(Route(Method(name, is_stream=True), handle, _counted(name)))
        for name, handle in inference.probes(dispatcher).items():
            routes.append(Route(Method(name, takes_place=False), handle))
        if self.settings.reflection:
            reflect = dispatcher.open_handler(reflecting(_SERVICES))
            names = [f"/{name}/ServerReflectionInfo" for name in REFLECTION]
            routes += [Route(Method(name, is_stream=True, takes_place=False), reflect) for name in names]
        self.grpc: Front = listener.serve(
            [route.method for route in routes],
            headers=_HEADERS,
            health=("", *_SERVICES),
            statuses=statuses(limits(self.settings)),
        )
        self._renew = self._renewing(listener)
        self._calls = Calls(self.grpc, routes, self.metrics, wait_s=lambda: service.embedder.wait_s, renew=self._renew)
        self.metrics.before_scrapes(self._calls.count)
        self._watch_front()

    def _watch_front(self) -> None:
        """Have metrics show the front's figures, and their bounds."""
        most = limits(self.settings)
        bounds = {
            "connections": most.max_connections,
            "places": most.max_calls,
            "held_bytes": most.held_total_bytes,
            "unread_bytes": most.unread_total_bytes,
        }
        self.metrics.watch_front(self.grpc.figures, limits=bounds, reasons=get_args(Reason))

    def _reload(self, ports: Ports) -> None:
        """Give the front what has changed in files, now."""
        ports.reload()
        self._renew()

    def _renewing(self, listener: Listener) -> Callable[[], None]:
        """Make a function, to be called often, that gives the front what has changed in files."""
        keys, front = self.service.keys, self.grpc
        given: object = None

        def renew() -> None:
            nonlocal given
            listener.renew()
            if keys is not None and (known := keys.known) is not given:
                given = known
                front.set_keys([digest for digest, _ in known])

        renew()
        return renew


def _counted(name: str) -> str:
    """Return the name by which metrics know a gRPC method."""
    return name.rpartition("/")[2]
