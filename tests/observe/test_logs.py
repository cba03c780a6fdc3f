"""Records as an operator reads them: one line each, for a person or for a machine."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from bothends.observe.logs import configure


@pytest.fixture(autouse=True)
def root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class Terminal(io.StringIO):
    """A stream that says that a person reads it."""

    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO, level: str = "info") -> list[str]:
    """Lines of three records, one of them with fields and one of an exception."""
    configure(level, stream)
    log = logging.getLogger("bothends.somewhere")
    log.debug("request", extra={"code": "OK"})
    log.info("serving on %s", "a port", extra={"device": "cpu", "port": 7})
    try:
        raise KeyError("gone")
    except KeyError:
        log.exception("a batch couldn't be recorded")
    return stream.getvalue().splitlines()


def test_a_machine_reads_one_object_a_line() -> None:
    """An object has time, level, logger and every field; an exception with its traceback is one line too."""
    served, failed = (json.loads(line) for line in lines(io.StringIO()))
    assert served["event"] == "serving on a port"
    assert (served["level"], served["logger"], served["device"], served["port"]) == (
        "info",
        "bothends.somewhere",
        "cpu",
        7,
    )
    assert served["time"].endswith("Z")
    assert "KeyError: 'gone'" in failed["exception"]


def test_debug_adds_a_line_a_request() -> None:
    first, *_ = lines(io.StringIO(), level="debug")
    assert json.loads(first)["code"] == "OK"


def test_a_person_reads_words_on_a_terminal_in_colour_if_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = lines(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    plain = lines(Terminal())
    assert "serving on a port" in plain[0]
    assert "device=cpu" in plain[0]
    assert "\x1b[" not in "".join(plain)
    assert "\x1b[" in coloured[0]


def test_what_comes_again_and_again_is_a_line_a_minute() -> None:
    """asyncio's lines about file descriptors come without their traceback; its others are as ever."""
    stream = io.StringIO()
    configure("info", stream)
    for _ in range(100):
        try:
            raise OSError(24, "Too many open files")
        except OSError:
            logging.getLogger("asyncio").exception("socket.accept() out of system resource")
    logging.getLogger("asyncio").error("another")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "Traceback" not in lines[0]
