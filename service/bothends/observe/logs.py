"""Formats log records: text for people on a terminal, JSON for machines. All modules use the standard library's
logging.

Structured values go in `extra`. No record ever holds a caller's sentence or key.
"""

import logging
import os
import time
from typing import TextIO

import structlog


def configure(level: str, stream: TextIO) -> None:
    """Send records of `level` and above to `stream`: as text to a terminal, as JSON elsewhere."""
    renderer: structlog.typing.Processor
    if stream.isatty():
        renderer = structlog.dev.ConsoleRenderer(colors=not os.environ.get("NO_COLOR"))
        exceptions: structlog.typing.Processor = structlog.processors.StackInfoRenderer()
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
        exceptions = structlog.processors.format_exc_info
    shared: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        exceptions,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Our own lines say when it starts and stops; a warning for each bad request would let any caller fill a log, and
    # with its own words: those of traces quote their headers.
    for name in ("uvicorn", "opentelemetry.trace"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("asyncio").addFilter(_Seldom("socket.accept() out of system resource", every_s=60))


class _Seldom(logging.Filter):
    """A filter that lets records of one beginning pass once in a while, without their traceback.

    Where file descriptors run out, asyncio logs each connection that it can't accept, again and again.
    """

    def __init__(self, beginning: str, *, every_s: float) -> None:
        super().__init__()
        self._beginning, self._every_s, self._next = beginning, every_s, 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if `record` is to be logged."""
        if not record.getMessage().startswith(self._beginning):
            return True
        record.exc_info = None
        passes = (now := time.monotonic()) >= self._next
        if passes:
            self._next = now + self._every_s
        return passes
