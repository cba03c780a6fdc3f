"""Signal handlers of `bothends serve`: SIGTERM and SIGINT stop it, a second one at once; SIGHUP reloads files, SIGUSR1
logs what the transport has decided.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..server.server import Server


@contextmanager
def started(server: "Server") -> Iterator[None]:
    """Start `server`, and handle signals from before the start to the end of the `with` block.

    Without handlers SIGHUP and SIGUSR1 would end the process, and SIGTERM be dropped where it is a container's first.
    While it starts, a signal to stop raises SystemExit: nothing was accepted, and what was made is undone.
    """
    stops, early_reloads = [], []

    def stop(number: int, _: FrameType | None) -> None:
        stops.append(number)
        if len(stops) > 1:
            os._exit(128 + number)  # a second signal means now
        if not server.takes_calls:
            raise SystemExit(0)
        server.request_stop()

    def reload(number: int, _: FrameType | None) -> None:
        if server.takes_calls:
            server.request_reload()
        else:
            early_reloads.append(number)

    def log_events(_number: int, _frame: FrameType | None) -> None:
        server.request_events()

    handlers = {signal.SIGHUP: reload, signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGUSR1: log_events}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        server.start()
        if early_reloads:
            server.request_reload()
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
