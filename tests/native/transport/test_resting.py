"""A transport that nobody asks for anything sleeps."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw, framed
from .served import ROW, Served
from .test_health import WATCH

Serve = Callable[..., Served]
WINDOW_S, MAX_WAKINGS = 0.5, 3


def tasks() -> set[Path]:
    return set(Path("/proc/self/task").iterdir())


def wakings(threads: set[Path]) -> int:
    """Return how often these threads have gone to sleep."""
    texts = [(thread / "status").read_text() for thread in threads]
    return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts)


def test_a_transport_at_rest_sleeps(serve: Serve) -> None:
    """The transport's own thread and those that wait for calls sleep, beside watchers and streams that say nothing."""
    others = tasks()
    served = serve()
    takers = [threading.Thread(target=served.transport.take_messages, args=(1, 10 * TIMEOUT_S)) for _ in range(2)]
    for taker in takers:
        taker.start()
    own = tasks() - others

    def sleeps() -> bool:
        before = wakings(own)
        time.sleep(WINDOW_S)  # the time that is measured
        return wakings(own) - before <= MAX_WAKINGS

    with Raw(served.port) as raw:
        watch, row = raw.call(WATCH, framed(b"")), raw.call(ROW, ends=False)
        raw.wait(lambda: watch.content)
        until(sleeps)
        late = raw.call(ECHO, ends=False, headers=[("grpc-timeout", "50m")])
        raw.over(late)
        assert (late.status, row.is_over) == ("4", False)
    served.stop()
    for taker in takers:
        taker.join(TIMEOUT_S)
