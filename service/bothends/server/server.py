"""Life of the server: bind → load → prove → serve → drain → stop.

Ports are bound first, so that a port in use is reported at once. Nothing is answered before the self-test has passed.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, cast

from ..observe import tracing
from ..observe.metrics import Metrics
from ..settings import Settings
from .banner import banner, slow_tokenizers, slowness
from .concurrency_limit import QUIET_S, linger
from .dispatch import REQUEST_ID, logs_each_call
from .event_log import EventLog
from .fast_path import FastMethod, FastPaths
from .fronts import FRONTS
from .fronts.front import Front, Served, embedding_paths
from .grpc.calls.source import Calls, Route
from .grpc.contract import HttpTerms, Listener, Reason, Transport
from .grpc.refusals import statuses
from .grpc.select import usage_of
from .http.cors import shared
from .http.failure import HTTP_STATUSES
from .http.hosts import Hosts, guarded
from .http.pages import application
from .keys import Keys
from .model_service import ModelService
from .ports import Ports
from .routes import http_routes, http_words, names_of_all, rpc_routes
from .web import web_servers
from .web_routes import unknown_path, web_routes

if TYPE_CHECKING:
    from bothends_native.transport import Transport as NativeTransport

_log = logging.getLogger(__name__)
LAST_BYTES_S = 2.0
"""Time that a stopping server gives callers to read what was sent, once all is."""
THREADS_END_S = 0.5
"""Time that a stopping server gives responses to leave, and threads to end, after its drain."""
_SIGNALS_S = 1.0
"""The longest that a signal goes unnoticed."""


class Server:
    """Server. Call `start`, then `wait` until a signal or `request_stop`, then `stop`."""

    def __init__(self, settings: Settings, fronts: Sequence[Front] = FRONTS, *, lame_duck_s: float = QUIET_S) -> None:
        """Serve what `settings` say to the callers of `fronts`.

        Once stopping, it goes on refusing callers until none has come for `lame_duck_s` seconds.
        """
        self.settings = settings
        self._fronts = fronts
        self._lame_duck_s = lame_duck_s
        self._all = names_of_all(fronts)
        self.metrics = Metrics()
        self.is_lost = False  # True once a new process alone can help: the GPU doesn't come back in this one
        self.takes_calls = False  # True once a call may have been accepted
        self._requests: SimpleQueue[Callable[[], None] | None] = SimpleQueue()  # None: to stop

    def start(self) -> None:
        """Start, and return once requests are answered.

        Raises StartupError or BundleError, after everything was stopped again.
        """
        settings = self.settings
        with ExitStack() as undo:
            ports = Ports(settings)
            undo.callback(ports.close)
            keys = Keys.load(settings, create_usage=usage_of(ports.transport))
            self.port, self.http_port, self.transport = ports.grpc.port, ports.http_port, ports.transport
            self.health_port = ports.health_port
            self._certificates = ports.certificates
            self.service = ModelService.load(
                settings,
                self.metrics,
                keys=keys,
                on_fitness=lambda model, fit: self.grpc.set_serving(fit, self._all if model is None else [model]),
                on_reload=lambda: self._reload(ports),
                on_lost=self._give_up,
                has_source=ports.transport == "native",
            )
            undo.callback(self.service.close, timeout_s=0)
            served = Served(self.service, self._fronts, self.transport, self.port)
            routes = rpc_routes(served)
            self.streams = [route.streams for route in routes if route.streams is not None]
            for streams in self.streams:
                undo.callback(streams.close)
            hosts = Hosts.of(settings, ports.address)
            self._add_grpc_services(ports.grpc, hosts, routes)
            pages = application(
                self.metrics.registry,
                self.service.is_ready,
                models=self.service.models_ready(),
                metrics_for=settings.metrics,
                keys=keys,
                routes=web_routes(served),
                unknown=unknown_path(self._fronts),
            )
            self._webs = web_servers(
                ports,
                self.grpc,
                settings,
                pages=shared(guarded(pages, hosts, settings.cors_origin_names), settings),
                probes=application(
                    self.metrics.registry,
                    self.service.is_ready,
                    models=self.service.models_ready(),
                    metrics_for="off",
                ),
            )
            for web in self._webs:
                web.start()
            self.takes_calls = True
            undo.pop_all()
        self.service.start(self._let_calls_in)
        models = [one.embedder.model for one in self.service.supervised]
        if (slow := slowness(self.settings, models, self.transport)) is not None:
            _log.warning("slow: %s: %s", *slow)
        for slow in slow_tokenizers(models, self.transport):
            _log.warning("slow: %s: %s", *slow)
        for one in self.service.supervised:
            model, test = one.embedder.model, one.embedder.model.self_test
            _log.info("serving", extra={"model": one.embedder.name, "version": model.config.version,
                                        "device": model.device, "transport": self.transport, "port": self.port,
                                        "selftest_difference": test.max_difference,
                                        "memory_bytes": one.memory_bytes})  # fmt: skip

    @property
    def http_connections(self) -> int:
        """Number of open connections to the HTTP port."""
        return self._webs[0].connections

    def banner(self) -> str:
        """Describe what is served, where, and what to try next: a few lines for a person."""
        return banner(
            self.settings,
            self.service.supervised,
            transport=self.transport,
            port=self.port,
            http_port=self.http_port,
            health_port=self.health_port,
            apis=embedding_paths(self._fronts),
        )

    def request_reload(self) -> None:
        """Look for a newer model, keys and certificates now. Safe in a signal handler."""
        self.service.request_reload()

    def wait(self) -> None:
        """Block until `request_stop` is called."""
        while True:  # a signal that comes just before the wait begins is handled only when it ends
            with suppress(Empty):
                if (act := self._requests.get(timeout=_SIGNALS_S)) is None:
                    return
                act()

    def request_stop(self) -> None:
        """Ask the server to stop. Safe in a signal handler, because it uses a SimpleQueue and no Event."""
        self._requests.put(None)

    def request_events(self) -> None:
        """Ask for what the transport has decided lately, in the log; safe from a signal handler."""
        self._requests.put(lambda: self._events.write_all())

    def stop(self) -> bool:
        """Report NOT_SERVING, finish accepted requests within `drain_s`, and stop; returns True if all were
        answered.
        """
        self.service.begin_stop()
        _log.info("draining: what was accepted is finished first", extra={"at_max_s": self.settings.drain_s})
        end = time.monotonic() + self.settings.drain_s
        self.grpc.drain()
        for streams in self.streams:
            streams.drain()
        answered = self.service.drain(self.settings.drain_s)
        sent = self.grpc.wait_idle(max(THREADS_END_S, end - time.monotonic()))
        linger(self._quiet_s, enough_s=self._lame_duck_s, timeout_s=end - time.monotonic())
        self.grpc.stop(LAST_BYTES_S)  # health watchers would hold a longer one
        self._events.follow()
        for streams in self.streams:
            streams.close()
        finished = self.service.close(timeout_s=THREADS_END_S)
        stopped = [web.stop(max(LAST_BYTES_S, end - time.monotonic())) for web in self._webs]
        everything = answered and sent and finished and all(stopped)
        _log.info("stopped", extra={"everything_answered": everything})
        return everything

    def _give_up(self) -> None:
        self.is_lost = True
        self.request_stop()

    def _quiet_s(self) -> float:
        """Return the seconds since a caller was last refused."""
        return min(self.grpc.quiet_s(), self.service.concurrency.quiet_s())

    def _let_calls_in(self) -> None:
        """Start what takes gRPC's calls; HTTP's thread runs already."""
        self.grpc.start()
        self.service.pull_from(self._calls)

    def _add_grpc_services(self, listener: Listener, hosts: Hosts | None, routes: list[Route]) -> None:
        service = self.service
        if self.transport == "native":
            routes += http_routes(self.settings, self._fronts, list(service.responders.names))
        self.grpc: Transport = listener.serve(
            [route.method for route in routes],
            headers=(*tracing.HEADERS, REQUEST_ID) if logs_each_call() else tuple(tracing.HEADERS),
            health=(*self._all, *service.responders.names),
            statuses=statuses(self.settings),
            http=HttpTerms(
                http_words(self.settings, self._fronts), HTTP_STATUSES, hosts, self.settings.cors_origin_names
            ),
            shards=self.settings.shards_for(service.threads),
        )
        self._renew = self._renewing(listener)
        native = cast("NativeTransport", self.grpc) if self.transport == "native" else None
        self._events = EventLog(native.events if native else lambda **_: ())
        self._calls = Calls(
            self.grpc,
            routes,
            self.metrics,
            renew=self._look,
            fast=self._fast_paths(routes),
        )
        self.metrics.before_scrapes(self._calls.count)
        limits = {"http_connections": self.settings.max_uvicorn_connections, **self.grpc.bounds()}
        self.metrics.watch_transport(self.grpc.figures, limits=limits, reasons=list(Reason))

    def _fast_paths(self, routes: Sequence[Route]) -> FastPaths | None:
        if self.transport != "native":
            return None
        transport = cast("NativeTransport", self.grpc)
        methods = {
            index: FastMethod(
                route.counted_as, route.create_codec, None if route.streams is None else route.streams.write_failed
            )
            for index, route in enumerate(routes)
            if route.create_codec is not None and route.counted_as is not None
        }
        self.metrics.add_waiting(transport.sliced)
        embedders = [responder.embedder for responder in self.service.responders]
        return FastPaths(transport, methods, embedders, self.metrics, logs_each_call)

    def _look(self) -> None:
        """Do what is to be done now and then, while calls come."""
        self._renew()
        self._events.follow()

    def _reload(self, ports: Ports) -> None:
        """Pass changed files to the transport now."""
        ports.reload()
        self._renew()

    def _renewing(self, listener: Listener) -> Callable[[], None]:
        """Return a function, to be called often, that passes changed files to the transport."""
        keys, transport = self.service.keys, self.grpc
        given: object = None

        def renew() -> None:
            nonlocal given
            listener.renew()
            if keys is not None and (known := keys.known) is not given:
                given = known
                transport.set_keys({digest: account.usage for digest, account in known})

        renew()
        return renew
