"""Standard output that may not take what is written, as on a full disk: one line says so, and the exit code is 1."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click


class OutputError(click.ClickException):
    """Standard output can't be written, for another reason than a reader who has enough."""

    def __init__(self, reason: str | None) -> None:
        """Say `reason`, which is the system's."""
        super().__init__(f"standard output can't be written: {reason}")


class _Output(io.FileIO):
    """The file under standard output, whose errors are told from those of other files by their class."""

    def write(self, content: Any, /) -> Any:
        """Write bytes. Raises OutputError, and BrokenPipeError where the reader has enough."""
        with _told():
            return super().write(content)

    def close(self) -> None:
        """Close it. Raises OutputError, since some file systems tell only now that they have no room."""
        with _told():
            super().close()


def ended(run: Callable[[], None]) -> int | str | None:
    """Return the exit code of `run`, which ends by SystemExit, once standard output is written and closed.

    Closed here, since Python's own attempt as it ends would print lines of its own, and from 3.13 on exit with 120.
    """
    if sys.stdout is not None:  # as it is where the process was started without one
        sys.stdout = _checked(sys.stdout)
    code: int | str | None = 0
    try:
        run()
    except SystemExit as end:
        code = end.code
    try:
        if sys.stdout is not None:
            sys.stdout.close()
    except BrokenPipeError:  # which needs no word: nobody reads what is left
        return code or 1
    except OutputError as error:
        if not code:  # else it was told already, or something worse was
            error.show()
        return code or 1
    return code


def _checked(stream: Any) -> io.TextIOWrapper:
    """Return a stream like `stream`, which is standard output as Python opens it, over an _Output."""
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(stream.fileno(), "w")),
        encoding=stream.encoding,
        errors=stream.errors,
        newline="\n",
        line_buffering=stream.line_buffering or stream.write_through,
    )


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error.strerror) from error
