"""An embedder that has proved itself and all that surrounds calls to it, as the settings ask.

It has no port: server.py opens a server's own ports over it, ray/replica.py takes Ray's calls.
"""

import gc
import os
import sys
from collections.abc import Callable
from typing import Self

from ..core.embedder import Embedder
from ..core.supervised import load_supervised
from ..core.supervisor import Supervisor
from ..observe.metrics import Metrics
from ..settings import Settings
from .answer_budget import AnswerBudget
from .backlog import Backlog
from .concurrency_limit import ConcurrencyLimit
from .dispatch import Dispatcher
from .keys import Keys
from .memory import give_back_what_is_freed
from .responder import Responder

_SWITCH_INTERVAL_S = 0.0005
"""Time that a thread keeps the interpreter while others want it. To read or write a long list takes ten times as long:
each single sentence would wait for Python's own 5 ms several times."""
_COLLECT_EVERY = 10_000
"""Objects made and not freed between two collections. Calls leave nothing to them, and Python's own looks, after every
700 objects, would fall into each batch."""
_HTTP_SHARE = 1 / 8
"""Share of the queue's tokens from which on HTTP's requests wait for their turn outside: half of that at which gRPC's
do (batching/scheduler.py), or they would keep those out."""
SUPERVISOR_ENDS_S = 10.0
"""Time that a closing service gives its supervisor: longer than to load a model, which can't be broken off."""


class Readiness:
    """State of a service: the model is fit, or not; the service is stopping, or not."""

    def __init__(self, on_fitness: Callable[[bool], None]) -> None:
        """Begin as unfit. `on_fitness` is called with each later state of the model."""
        self._on_fitness = on_fitness
        self.is_fit = False
        """True while the model is to be trusted."""
        self.is_stopping = False

    @property
    def is_ready(self) -> bool:
        """True while new requests are to be sent here."""
        return self.is_fit and not self.is_stopping

    def set_fit(self, fit: bool) -> None:
        """Take note that the model is to be trusted, or isn't."""
        self.is_fit = fit
        self._on_fitness(fit)


class ModelService:
    """An embedder, its supervisor, and one gate, one set of keys and one responder for calls of every protocol.

    `load`, then `start`; at the end `begin_stop`, `drain` and `close`.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        embedder: Embedder,
        supervisor: Supervisor,
        readiness: Readiness,
        *,
        keys: Keys | None,
    ) -> None:
        """Take what `load` made."""
        self.settings = settings
        self.metrics = metrics
        self.embedder = embedder
        self.keys = keys
        self.concurrency = ConcurrencyLimit(limit=settings.max_concurrent_requests)
        answer_budget = AnswerBudget(most_tokens=settings.max_queue_tokens * _HTTP_SHARE)
        self.responder = Responder(embedder, metrics, answer_budget=answer_budget)
        self.backlog = Backlog(answer_budget=answer_budget)
        self._supervisor = supervisor
        self._readiness = readiness

    @classmethod
    def load(
        cls,
        settings: Settings,
        metrics: Metrics,
        *,
        keys: Keys | None,
        on_fitness: Callable[[bool], None] = lambda _: None,
        on_reload: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> Self:
        """Load and prove the model that `settings` name. Nothing is served before `start`.

        `on_fitness` is called with each later state of the model; `on_reload` at each `request_reload`, after the keys
        have been read again; `on_lost` once a new process alone can help. Raises BundleError or DeviceError.
        """

        def reload_files() -> None:
            if keys is not None:
                keys.reload()
            on_reload()

        # As many threads tokenise as there are cores: to share a batch among more costs more than it brings.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        readiness = Readiness(on_fitness)
        embedder, supervisor = load_supervised(
            settings, metrics, on_fitness=readiness.set_fit, on_reload=reload_files, on_lost=on_lost
        )
        return cls(settings, metrics, embedder, supervisor, readiness, keys=keys)

    def dispatcher_behind(self) -> Dispatcher:
        """Return a new dispatcher for a transport of gRPC's, which lets calls in by itself."""
        return Dispatcher(self.metrics, None, lambda: 0.0, self.keys, backlog=self.backlog)

    def dispatcher(self) -> Dispatcher:
        """Return a new dispatcher, for one thread's calls at a time; all of them share gate, keys and metrics."""
        return Dispatcher(
            self.metrics,
            self.concurrency,
            lambda: self.embedder.wait_s,
            self.keys,
            backlog=self.backlog,
            max_wait_s=self.settings.caller_timeout_s,
        )

    def is_ready(self) -> bool:
        """Return True while new requests are to be sent here."""
        return self._readiness.is_ready

    def is_fit(self) -> bool:
        """Return True while the model is to be trusted, also in a service that is stopping."""
        return self._readiness.is_fit

    def start(self, let_calls_in: Callable[[], None] = lambda: None) -> None:
        """Serve, once everything that calls need has been made: let calls in, be fit, look after the model."""
        # Whatever start-up made stays: a collection that walked all of it again would hold every thread for 0.1 s.
        give_back_what_is_freed()
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        gc.set_threshold(_COLLECT_EVERY, *gc.get_threshold()[1:])
        let_calls_in()
        self._readiness.set_fit(True)
        self._supervisor.start()

    def request_reload(self) -> None:
        """Look for a newer model, keys and certificates now; safe from a signal handler."""
        self._supervisor.reload()

    def begin_stop(self) -> None:
        """Stop being ready, and begin nothing new for the model; calls are still taken."""
        self._supervisor.close()
        self._readiness.is_stopping = True

    def drain(self, timeout_s: float) -> bool:
        """Refuse new calls at the gate, and wait for those inside; returns True if all were answered in time."""
        return self.concurrency.close(timeout_s=timeout_s)

    def close(self, *, timeout_s: float = 30) -> bool:
        """Stop every thread; returns True if all that the embedder had accepted was finished within `timeout_s`."""
        finished = self.embedder.close(timeout_s=timeout_s)
        self._supervisor.join(SUPERVISOR_ENDS_S)
        self.backlog.close()
        return finished
