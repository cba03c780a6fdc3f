"""A live engine's self-test, again and again, in a thread of its own. Knows no engine: it calls what proves it."""

import logging
import threading
from collections.abc import Callable

from .errors import SelfTestError
from .metrics import Metrics
from .selftest import SelfTest

_log = logging.getLogger(__name__)


class Canary:
    """Proves an engine once when made, and then every so often until closed."""

    def __init__(self, prove: Callable[[], SelfTest], metrics: Metrics, *, every_s: float) -> None:
        """Raises what `prove` does the first time; later only metrics and log say so. 0 means never again."""
        self._prove = prove
        self._metrics = metrics
        self._every_s = every_s
        self._closed = threading.Event()
        self.first = prove()
        metrics.tested(success=True, difference=self.first.max_difference)
        self._thread = threading.Thread(target=self._go_on, name="bothends-canary", daemon=True)
        if every_s:
            self._thread.start()

    def close(self) -> None:
        """Test no more; one that runs is left to end by itself."""
        self._closed.set()

    def _go_on(self) -> None:
        passed = True
        while not self._closed.wait(self._every_s):
            was, passed = passed, self._test()
            if passed and not was:
                _log.info("the self-test passes again")

    def _test(self) -> bool:
        try:
            found = self._prove()
        except SelfTestError as error:
            self._metrics.tested(success=False, difference=error.difference)
            _log.error("the self-test failed: %s", error)
            return False
        self._metrics.tested(success=True, difference=found.max_difference)
        return True
