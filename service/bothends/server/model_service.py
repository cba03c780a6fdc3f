"""Models that have passed their self-test, and everything that surrounds calls to them, according to the settings.

It has no port: server.py opens a server's ports over it, and ray/replica.py hands it the calls of Ray Serve.
"""

import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from ..batching.queue import Queue
from ..batching.request import WorkSource
from ..batching.source_queue import SourceQueue
from ..core.embedder import Embedder
from ..core.supervisor import Supervised, load_supervised
from ..observe.metrics import Metrics
from ..settings import Settings
from .concurrency_limit import ConcurrencyLimit
from .dispatch import Dispatcher
from .keys import Keys
from .memory import keep_little_memory
from .responder import Responder, Responders

_SWITCH_INTERVAL_S = 0.0005
"""Time that a thread keeps the interpreter while others want it. To read or write a long list takes ten times as long:
each single sentence would wait for Python's own 5 ms several times."""
_COLLECT_EVERY = 10_000
"""Objects made and not freed between two collections. Calls leave nothing to them, and Python's own looks, after every
700 objects, would fall into each batch."""
_SLEEP_S = 2.0
"""Seconds for which a thread of its own sleeps in a source when nothing comes."""
SUPERVISOR_ENDS_S = 10.0
"""Time that a closing service gives its supervisor: longer than to load a model, which can't be broken off."""


OnFitness = Callable[[str | None, bool], None]
"""Callback that gets a model's name and whether it is healthy, or None for the name if it is about all models."""


class Readiness:
    """Readiness of a service: whether its models are healthy, and whether it is stopping."""

    def __init__(self, on_fitness: OnFitness) -> None:
        """Begin as unfit. `on_fitness` is called with each later state of a model, then with that of all."""
        self._on_fitness = on_fitness
        self._telling = threading.Lock()  # one supervisor's word isn't to overtake another's
        self._unfit: set[str] = set()
        self._has_begun = False
        self.is_stopping = False

    @property
    def is_fit(self) -> bool:
        """True while all models are healthy."""
        return self._has_begun and not self._unfit

    @property
    def is_ready(self) -> bool:
        """True while new requests should be sent here."""
        return self.is_fit and not self.is_stopping

    def is_ready_for(self, model: str) -> bool:
        """Return True while new requests to this served model should be sent here."""
        return self._has_begun and model not in self._unfit and not self.is_stopping

    def begin(self, models: Sequence[str]) -> None:
        """Mark `models`, the names of all that are served, as healthy."""
        with self._telling:
            self._has_begun = True
            for model in models:
                self._on_fitness(model, model not in self._unfit)
            self._on_fitness(None, self.is_fit)

    def set_fit(self, model: str, fit: bool) -> None:
        """Mark a model as healthy or not. May be called by the threads of several supervisors."""
        with self._telling:
            (self._unfit.discard if fit else self._unfit.add)(model)
            if self._has_begun:
                self._on_fitness(model, fit)
                self._on_fitness(None, self.is_fit)


class ModelService:
    """Models with their embedders and supervisors, a concurrency limit, the API keys, and a responder for each model.

    It answers calls of every protocol. Call `load`, then `start`; at the end `begin_stop`, `drain` and `close`.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        supervised: Sequence[Supervised],
        queue: Queue,
        readiness: Readiness,
        *,
        keys: Keys | None,
    ) -> None:
        """Take what `load` made."""
        self.settings = settings
        self.metrics = metrics
        self.supervised = supervised
        """All models, the default first."""
        self.keys = keys
        self.concurrency = ConcurrencyLimit(limit=settings.max_concurrent_requests)
        self.responders = Responders([Responder(one.embedder) for one in supervised])
        self._queue = queue
        self._readiness = readiness

    @classmethod
    def load(
        cls,
        settings: Settings,
        metrics: Metrics,
        *,
        keys: Keys | None,
        on_fitness: OnFitness = lambda *_: None,
        on_reload: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
        has_source: bool = False,
    ) -> Self:
        """Load the models that `settings` name and run their self-tests. Nothing is served before `start`. If it
        `has_source`, it serves the calls of a source with turns, which `pull_from` names.

        `on_fitness` is called when a model's health, or that of all, changes; `on_reload` at each `request_reload`,
        after the keys have been read again; `on_lost` when only a new process can help. Raises BundleError or
        DeviceError.
        """

        def reload_files() -> None:
            if keys is not None:
                keys.reload()
            on_reload()

        # As many threads tokenise as there are cores: to share a batch among more costs more than it brings.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        keep_little_memory()
        readiness = Readiness(on_fitness)
        supervised, queue = load_supervised(
            settings,
            metrics,
            on_fitness=readiness.set_fit,
            on_reload=reload_files,
            on_lost=on_lost,
            has_source=has_source,
        )
        return cls(settings, metrics, supervised, queue, readiness, keys=keys)

    @property
    def embedder(self) -> Embedder:
        """Embedder of the default model, for callers who name none."""
        return self.responders.default.embedder

    @property
    def threads(self) -> int:
        """Number of threads that pull from a source, once there is one."""
        return self._queue.threads_pulling if isinstance(self._queue, SourceQueue) else 1

    def pull_from(self, source: WorkSource) -> None:
        """Serve the calls of `source` until it ends: in the threads that compute, or in one of its own."""
        if isinstance(self._queue, SourceQueue):
            self._queue.pull_from(source)
        else:
            threading.Thread(target=partial(_pull_all, source), name="bothends-calls", daemon=True).start()

    def dispatcher_of_admitted(self) -> Dispatcher:
        """Return a new dispatcher for a gRPC transport that admits calls itself."""
        return Dispatcher(self.metrics, None, lambda: 0.0, self.keys)

    def dispatcher(self) -> Dispatcher:
        """Return a new dispatcher for the calls of one thread; all dispatchers share concurrency limit, keys and
        metrics.
        """
        return Dispatcher(
            self.metrics,
            self.concurrency,
            lambda: self.embedder.wait_s,
            self.keys,
            max_wait_s=self.settings.caller_timeout_s,
        )

    def is_ready(self) -> bool:
        """Return True while new requests, to any model, should be sent here."""
        return self._readiness.is_ready

    def is_ready_for(self, model: str) -> bool:
        """Return True while new requests to this served model should be sent here."""
        return self._readiness.is_ready_for(model)

    def models_ready(self) -> dict[str, Callable[[], bool]]:
        """Return for each model's name a function that says whether new requests to it should be sent here."""
        return {name: partial(self.is_ready_for, name) for name in self.responders.names}

    def is_fit(self) -> bool:
        """Return True while all models are healthy, even if the service is stopping."""
        return self._readiness.is_fit

    def start(self, let_calls_in: Callable[[], None] = lambda: None) -> None:
        """Start to serve, after everything that calls need was made: call `let_calls_in`, by which ports admit calls,
        report readiness, and supervise the models.
        """
        # Whatever start-up made stays: a collection that walked all of it again would hold every thread for 0.1 s.
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        gc.set_threshold(_COLLECT_EVERY, *gc.get_threshold()[1:])
        let_calls_in()
        self._readiness.begin(self.responders.names)
        for one in self.supervised:
            one.supervisor.start()

    def request_reload(self) -> None:
        """Look for newer models, keys and certificates now. Safe in a signal handler."""
        for one in self.supervised:
            one.supervisor.reload()

    def begin_stop(self) -> None:
        """Stop being ready, and start no supervision task for any model; calls are still accepted."""
        for one in self.supervised:
            one.supervisor.close()
        self._readiness.is_stopping = True

    def drain(self, timeout_s: float) -> bool:
        """Refuse new calls, and wait for those in progress; returns True if all were answered within `timeout_s`
        seconds.
        """
        return self.concurrency.close(timeout_s=timeout_s)

    def close(self, *, timeout_s: float = 30) -> bool:
        """Stop all threads; returns True if all accepted work was finished within `timeout_s` seconds."""
        first, *others = [one.embedder for one in self.supervised]
        finished = first.close(timeout_s=timeout_s, others=others)
        for one in self.supervised:
            one.supervisor.join(SUPERVISOR_ENDS_S)
        return finished


def _pull_all(source: WorkSource) -> None:
    while source.pull(_SLEEP_S) is not False:
        pass
