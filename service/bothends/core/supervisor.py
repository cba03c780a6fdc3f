"""Keeps a served model fit: proves it again and again, loads one anew that fails, and brings in a newer one.

All of that in one thread, one thing at a time. Knows no engine, no queue and no caller.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal, NamedTuple, Self

from ..engines.contract import Engine, Fault
from ..errors import BothendsError, BundleError, NotServingError, OverloadedError, SelfTestError
from ..model.bundle import Bundle, default_path
from ..model.versions import Fingerprint, fingerprint, newest
from ..observe.metrics import Metrics
from ..settings import ModelSettings
from .embedder import Embedder
from .loaded import LoadedModel

_log = logging.getLogger(__name__)
_CALM_S = 5.0
"""At least so long between self-tests that faults ask for, and between attempts to load a model anew."""
_REST = 20.0
"""A self-test is due no sooner than so many times as long as the engine took for it at load: that of a wide encoder
takes seconds, which callers would miss."""


class _Wish(NamedTuple):
    """What somebody asks of the supervisor."""

    what: Fault | Literal["reload", "close"]
    engine: Engine | None = None


_CLOSE = _Wish("close")


class Supervisor:
    """Looks after the model that `embedder` serves, which came from the folder `root`."""

    def __init__(
        self,
        embedder: Embedder,
        metrics: Metrics,
        root: Path,
        load: Callable[[Bundle], LoadedModel],
        *,
        seen: Fingerprint,
        selftest_s: float,
        reload_s: float,
        when_fit: Callable[[bool], None],
        when_told: Callable[[], None] = lambda: None,
    ) -> None:
        """Test every `selftest_s`, look for a newer model every `reload_s`; 0 is never.

        `load` proves what it loads. `seen` is the folder's fingerprint of before what is served was read: what came
        meanwhile is newer. `when_fit` is told False as soon as the model isn't to be trusted, and True when
        one is again. `when_told` is called at each `reload`, for what else is read from files.
        """
        self._embedder = embedder
        self._metrics = metrics
        self._root = root
        self._load = load
        self._when_fit = when_fit
        self._when_told = when_told
        self._seen = self._settling = seen
        self._test, self._look = _Duty(selftest_s), _Duty(reload_s)
        self._wishes: SimpleQueue[_Wish] = SimpleQueue()
        self._thread = threading.Thread(target=self._go_on, name="bothends-supervisor", daemon=True)

    @classmethod
    def load(
        cls,
        settings: ModelSettings,
        metrics: Metrics,
        *,
        when_fit: Callable[[bool], None],
        when_told: Callable[[], None] = lambda: None,
    ) -> tuple[Embedder, Self]:
        """The model that `settings` name, ready to embed, and who keeps it fit. Raises BundleError or DeviceError."""
        root = settings.bundle or default_path()
        load, seen = partial(LoadedModel.load, settings=settings), fingerprint(root)
        embedder = Embedder(load(Bundle.open(newest(root))), settings=settings, metrics=metrics)
        supervisor = cls(
            embedder,
            metrics,
            root,
            load,
            seen=seen,
            selftest_s=settings.selftest_s,
            reload_s=settings.reload_s,
            when_fit=when_fit,
            when_told=when_told,
        )
        return embedder, supervisor

    def start(self) -> None:
        """Begin; nothing is looked at before."""
        self._embedder.when_failed(lambda fault, engine: self._wishes.put(_Wish(fault, engine)))
        self._thread.start()

    def reload(self) -> None:
        """Look for a newer model now; safe from a signal handler."""
        self._wishes.put(_Wish("reload"))

    def close(self) -> None:
        """Begin nothing more."""
        self._wishes.put(_CLOSE)

    def join(self, timeout_s: float) -> bool:
        """Wait until what was begun has ended, once closed; says whether it has. A process that ends before aborts."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _go_on(self) -> None:
        while (wish := self._next_wish()) != _CLOSE:
            try:
                self._fulfil(wish)
            except Exception as error:  # whatever went wrong, somebody has to look after the model tomorrow too
                _log.error("looking after the model failed: %s", type(error).__name__)

    def _next_wish(self) -> _Wish | None:
        due_in_s = min(self._test.due_in_s, self._look.due_in_s)
        try:
            return self._wishes.get(timeout=min(max(0.0, due_in_s), threading.TIMEOUT_MAX))
        except Empty:
            return None

    def _fulfil(self, wish: _Wish | None) -> None:
        match wish:
            case _Wish("reload"):
                self._when_told()
                self._take_over(fingerprint(self._root))
            case _Wish("hung", engine) if engine is self._embedder.model:
                self._withdraw("a model run took too long")
            case _Wish("raised", engine) if engine is self._embedder.model:
                self._test.hasten(_CALM_S)
        if self._look.due_in_s <= 0:
            self._look.done()
            self._look_for_newer()
        if self._test.due_in_s <= 0:
            self._test.done()
            if self._embedder.model.is_withdrawn:
                self._load_anew()
            else:
                self._prove()

    def _prove(self) -> None:
        try:
            found = self._embedder.prove()
        except (OverloadedError, NotServingError):
            return  # there was no room for it: the next one will do
        except SelfTestError as error:
            self._metrics.tested(success=False, difference=error.difference)
            self._withdraw(str(error))
        else:
            self._metrics.tested(success=True, difference=found.max_difference)
            self._test.rest(_REST * self._embedder.model.self_test.seconds)

    def _withdraw(self, reason: str) -> None:
        """Let nobody be answered any more, and try to load the same files."""
        _log.error("the model is withdrawn and loaded anew: %s", reason)
        self._embedder.model.withdraw()
        self._metrics.withdrawn()
        self._when_fit(False)
        self._load_anew()

    def _load_anew(self) -> None:
        try:
            model = self._load(self._open(self._embedder.model.path))
        except BothendsError as error:
            _log.error("the model can't be loaded anew: %s", error)
            self._test.hasten(_CALM_S)
            return
        self._embedder.serve(model)
        self._when_fit(True)
        _log.info("the model agrees with PyTorch again")

    def _look_for_newer(self) -> None:
        """A change is acted upon once it was the same at two looks: before, somebody may still be writing."""
        found = fingerprint(self._root)
        if found == self._settling and found != self._seen:
            self._take_over(found)
        self._settling = found

    def _take_over(self, found: Fingerprint) -> None:
        """Let what is in the folder take over from what is served, if it is another and proves itself."""
        self._seen = found
        served = self._embedder.model
        try:
            bundle = self._open(newest(self._root).resolve())
            if served.is_same(bundle) and not served.is_withdrawn:
                _log.info("nothing newer to serve", extra={"version": bundle.config.version})
                return
            model = self._load(bundle)
        except BothendsError as error:
            self._metrics.reloaded("refused")
            _log.error("the new model is refused, version %s goes on: %s", served.config.version, error)
            return
        self._embedder.serve(model)
        self._when_fit(True)
        self._metrics.reloaded("served")
        _log.info("a new model is served", extra={"version": model.config.version, "was": served.config.version})

    def _open(self, path: Path) -> Bundle:
        """What is there. Raises BundleError, also where it is the served version with other content."""
        bundle, served = Bundle.open(path), self._embedder.model
        if served.config.version == bundle.config.version and not served.is_same(bundle):
            raise BundleError(
                f"{path} is version {bundle.config.version}, which is served, with other content; "
                "a changed model needs a version of its own"
            )
        return bundle


class _Duty:
    """When something is to be done again."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s or float("inf")
        self.done()

    @property
    def due_in_s(self) -> float:
        return self._due - time.monotonic()

    def done(self) -> None:
        """It has been done, or begun, now."""
        self._done = time.monotonic()
        self._due = self._done + self._every_s

    def rest(self, least_s: float) -> None:
        """Let it be due no sooner than `least_s` from now."""
        self._due = max(self._due, time.monotonic() + least_s)

    def hasten(self, calm_s: float) -> None:
        """Let it be due soon, `calm_s` after it was done last."""
        self._due = min(self._due, self._done + calm_s)
