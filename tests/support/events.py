"""What a real server's transport has decided about connections and calls, as it logs that when SIGUSR1 comes."""

import json
import signal
from collections import Counter
from collections.abc import Iterable
from typing import Any

from .serving import Running
from .until import until

Line = dict[str, Any]
LOGGER = "bothends.server.event_log"


def events_of(running: Running) -> list[Line]:
    """Ask for the last events of a server that was started with a `log`, and return the lines that hold them."""
    assert running.log is not None, "nobody reads what it logs"
    log, begin = running.log, running.log.stat().st_size
    found: list[Line] = []

    def are_all() -> bool:
        text = log.read_bytes()[begin:]
        written = [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines() if line.startswith(b"{")]
        found[:] = [line for line in written if line["logger"] == LOGGER and line["level"] == "info"]
        return bool(found) and "lines" in found[-1]

    running.process.send_signal(signal.SIGUSR1)
    until(are_all)
    assert found.pop()["lines"] == len(found)
    return found


def counted(lines: Iterable[Line], network: str | None = None) -> Counter[str]:
    """Count them by kind, and of calls by why, of one network or of all."""
    found: Counter[str] = Counter()
    for line in lines:
        if network in (None, line["network"]):
            found[" ".join(filter(None, (line["kind"], line["reason"])))] += line["count"]
    return found


def in_words(found: Counter[str]) -> str:
    """Say what was counted, as a figure of a report."""
    return ", ".join(f"{count:,} x {kind.replace('_', ' ')}" for kind, count in found.items()) or "nothing"
