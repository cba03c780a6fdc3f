"""Loads the models that the settings name, and supervises each: tests it regularly, reloads it if it fails, and lets
newer versions take over.

Each model is supervised in its own thread, one task at a time.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal, NamedTuple

from ..batching.queue import Queue
from ..engines.contract import Engine, Fault
from ..errors import BothendsError, DrainingError, NotServingError, OverloadedError, SelfTestError
from ..model.bundle import Bundle, default_path
from ..model.versions import Fingerprint, fingerprint, newest
from ..observe.metrics import Metrics
from ..observe.unforeseen import error_text
from ..settings import ModelSettings, OneModel
from . import memory
from .embedder import Embedder
from .loaded import LoadedModel
from .proof import Prove, prove
from .queue import queue_of
from .restart_policy import RestartPolicy
from .schedule import Schedule
from .takeover import newer, opened, opened_again

_log = logging.getLogger(__name__)
_TOO_LONG = "a model run took too long"


class _Event(NamedTuple):
    """An engine's fault, or a request of another thread, to be handled in the supervisor's."""

    kind: Fault | Literal["reload", "close"]
    engine: Engine | None = None


_CLOSE = _Event("close")


class Supervisor:
    """Supervisor of the model that `embedder` serves, which was loaded from the folder `root`."""

    def __init__(
        self,
        embedder: Embedder,
        root: Path,
        load: Callable[[Bundle], LoadedModel],
        *,
        prove: Prove,
        seen: Fingerprint,
        selftest_s: float,
        reload_s: float,
        on_fitness: Callable[[bool], None],
        on_reload: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
        min_interval_s: float = 5.0,
        max_load_s: float = 120.0,
        rest_ratio: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Test the model every `selftest_s` seconds, and look for a newer one every `reload_s` seconds; 0 is never.

        `prove` starts to prove a newer bundle in a separate process, so that a broken one costs callers nothing; `load`
        then loads it into this process, and tests it here. `seen` is the folder's fingerprint from before the served
        model was read, so that a later change counts as newer. `on_fitness` is called with False when the model can't
        be trusted any more, and with True when one can again. `on_reload` is called at each `reload`, for other files.
        `on_lost` is called when only a new process can help: on a GPU, after a run that hangs, three failed loads, or
        one that takes longer than `max_load_s`. At least `min_interval_s` seconds pass between self-tests after faults,
        and between attempts to reload a model. A self-test is due no sooner than `rest_ratio` times as long as the
        engine took for it at load, since that of a wide encoder takes seconds that callers would miss.
        """
        self._embedder = embedder
        self._about = {"model": embedder.name}
        self._metrics = embedder.metrics
        self._root = root
        self._load = load
        self._prove_apart = prove
        self._on_fitness = on_fitness
        self._on_reload = on_reload
        self._on_lost = on_lost
        self._restart_policy = RestartPolicy(self._give_up, max_load_s=max_load_s)
        self._min_interval_s = min_interval_s
        self._rest_ratio = rest_ratio
        self._seen = self._settling = seen
        self._test, self._look = Schedule(selftest_s, clock=clock), Schedule(reload_s, clock=clock)
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="bothends-supervisor", daemon=True)

    def start(self) -> None:
        """Start to supervise."""
        self._embedder.on_fault(lambda fault, engine: self._events.put(_Event(fault, engine)))
        self._thread.start()

    def reload(self) -> None:
        """Look for a newer model now. Safe in a signal handler."""
        self._events.put(_Event("reload"))

    def close(self) -> None:
        """Start no further task."""
        self._events.put(_CLOSE)

    def join(self, timeout_s: float) -> bool:
        """Wait until the current task has ended, after `close`; returns True if it has.

        A process that exits earlier aborts.
        """
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def run_due(self) -> None:
        """Look for a newer model and test the served one, each if it is due. Call from one thread at a time."""
        if self._look.due_in_s <= 0:
            self._look.restart()
            self._look_for_newer()
        self._test_if_due()

    def _test_if_due(self) -> None:
        if self._test.due_in_s <= 0:
            self._test.restart()
            if self._embedder.model.is_withdrawn:
                self._load_anew()
            else:
                self._prove()

    def _run(self) -> None:
        while (event := self._next_event()) != _CLOSE:
            try:
                if event is not None:
                    self._handle(event)
                self.run_due()
            except Exception as error:  # whatever went wrong, the model has to be looked after tomorrow too
                _log.error("looking after the model failed: %s", type(error).__name__, extra=self._about)

    def _next_event(self) -> _Event | None:
        due_in_s = min(self._test.due_in_s, self._look.due_in_s)
        try:
            return self._events.get(timeout=min(max(0.0, due_in_s), threading.TIMEOUT_MAX))
        except Empty:
            return None

    def _handle(self, event: _Event) -> None:
        match event:
            case _Event("reload"):
                self._on_reload()
                self._take_over(fingerprint(self._root))
            case _Event("hung") if self._on_cuda:
                self._give_up("a model run hangs")
            case _Event("hung", engine) if engine is self._embedder.model:
                self._withdraw(_TOO_LONG, _TOO_LONG)
            case _Event("raised", engine) if engine is self._embedder.model:
                self._test.hasten(self._min_interval_s)

    def _prove(self) -> None:
        try:
            found = self._embedder.prove()
        except (OverloadedError, NotServingError):
            return  # there was no room for it: the next one will do
        except SelfTestError as error:
            self._metrics.tested(success=False, difference=error.difference)
            self._withdraw("the model failed its self-test", str(error))
        else:
            self._metrics.tested(success=True, difference=found.max_difference)
            self._test.postpone(self._rest_ratio * self._embedder.model.self_test.seconds)

    def _withdraw(self, told_callers: str, reason: str) -> None:
        """Answer no caller any more, and try to load the same files."""
        _log.error("the model is withdrawn and loaded anew: %s", reason, extra=self._about)
        self._embedder.model.withdraw(told_callers)
        self._metrics.withdrawn()
        self._on_fitness(False)
        self._load_anew()

    def _load_anew(self) -> None:
        try:
            with self._restart_policy.attempt() if self._on_cuda else nullcontext():
                model = self._load(opened_again(self._embedder.model))
                self._embedder.serve(model)
        except Exception as error:  # also of memory, or of the disk: it is tried again
            _log.error("the model can't be loaded anew: %s", error_text(error), extra=self._about)
            self._test.hasten(self._min_interval_s)
            return
        self._on_fitness(True)
        _log.info("the model agrees with PyTorch again", extra=self._about)

    @property
    def _on_cuda(self) -> bool:
        return self._embedder.model.device == "cuda"

    def _give_up(self, reason: str) -> None:
        """Answer no caller any more, begin nothing more, and say that a new process is needed."""
        _log.error("the GPU is given up: %s", reason, extra=self._about)
        self._embedder.model.withdraw(reason)
        self._on_fitness(False)
        self.close()
        self._on_lost()

    def _look_for_newer(self) -> None:
        """Let a newer bundle take over once the folder was the same at two looks: before, it may still be written."""
        found = fingerprint(self._root)
        if found == self._settling and found != self._seen:
            self._take_over(found)
        self._settling = found

    def _take_over(self, found: Fingerprint) -> None:
        """Replace what is served by what is in the folder, if that is another model and proves itself."""
        self._seen = found
        served = self._embedder.model
        later: list[_Event] = []
        try:
            look = partial(self._look_after_served, later)
            bundle = newer(self._root, served, self._prove_apart, meanwhile=look)
            if bundle is None:
                _log.info("nothing newer to serve", extra=self._about | {"version": served.config.version})
                return
            model = self._load(bundle)
        except DrainingError:
            return
        except Exception as error:  # whatever was in the way, the one before goes on
            goes_on, why = served.config.version, error_text(error)
            _log.error("the new model is refused, version %s goes on: %s", goes_on, why, extra=self._about)
            self._metrics.reloaded("refused")  # after the line that says why: who sees the count looks for it
            return
        finally:
            for event in later:
                self._events.put(event)
        self._embedder.serve(model)
        self._on_fitness(True)
        versions = {"version": model.config.version, "was": served.config.version}
        _log.info("a new model is served", extra=self._about | versions)
        self._metrics.reloaded("served")

    def _look_after_served(self, later: list[_Event]) -> None:
        """Handle faults, and the self-test if it is due; what else is asked goes to `later`."""
        with suppress(Empty):
            while True:
                event = self._events.get_nowait()
                if event.kind in ("hung", "raised"):
                    self._handle(event)
                    continue
                later.append(event)
                if event == _CLOSE:
                    raise DrainingError("the server stops")
        self._test_if_due()


class Supervised(NamedTuple):
    """Model's embedder, its supervisor, which isn't started yet, and the bytes of memory that loading it took."""

    embedder: Embedder
    supervisor: Supervisor
    memory_bytes: int


class _Found(NamedTuple):
    """Model that was loaded, and what its supervisor has to know about its origin."""

    name: str | None
    settings: ModelSettings
    model: LoadedModel
    root: Path
    seen: Fingerprint
    load: Callable[..., LoadedModel]
    prove: Prove
    memory_bytes: int


def load_supervised(
    settings: ModelSettings,
    metrics: Metrics,
    *,
    on_fitness: Callable[[str, bool], None],
    on_reload: Callable[[], None] = lambda: None,
    on_lost: Callable[[], None] = lambda: None,
    has_source: bool = False,
) -> tuple[list[Supervised], Queue]:
    """Load the models that `settings` name, in order, and make their supervisors. Returns them with the queue that they
    share.

    `on_fitness` is called with a model's name and health; `on_reload` and `on_lost` once for all models. If the queue
    `has_source`, embedders serve the calls of that source alone, once its queue pulls from it. A separate
    process proves each model first, except the packaged one. Raises BundleError or DeviceError, which names the model
    if there are several.
    """
    found = [_load(one) for one in settings.models]
    queue = queue_of([one.model for one in found], settings, metrics, has_source=has_source)
    supervised = []
    for index, one in enumerate(found):
        embedder = Embedder(one.model, settings=one.settings, metrics=metrics, name=one.name, queue=queue)
        supervisor = Supervisor(
            embedder,
            one.root,
            one.load,
            prove=one.prove,
            seen=one.seen,
            selftest_s=settings.selftest_s,
            reload_s=settings.reload_s,
            on_fitness=partial(on_fitness, embedder.name),
            on_reload=(lambda: None) if index else on_reload,
            on_lost=on_lost,
        )
        supervised.append(Supervised(embedder, supervisor, one.memory_bytes))
    return supervised, queue


def _load(one: OneModel) -> _Found:
    """Load one model. Raises BundleError or DeviceError."""
    name, settings = one
    root = settings.bundle or default_path()
    load, prove_apart = partial(LoadedModel.load, settings=settings), partial(prove, settings=settings)
    before = memory.resident()
    with _naming(name):
        path, seen = newest(root), fingerprint(root)
        with closing(prove_apart(path, niceness=0)) as proof:  # nobody is kept waiting yet, but for who starts it
            bundle = opened(path, proof.result())
        model = load(bundle)
    return _Found(name, settings, model, root, seen, load, prove_apart, max(0, memory.resident() - before))


@contextmanager
def _naming(name: str | None) -> Iterator[None]:
    """Have what is raised inside `with` say which of several models it is about."""
    try:
        yield
    except BothendsError as error:
        if name is not None:
            error.args = (f"--bundle {name}=…: {error}", *error.args[1:])
        raise
