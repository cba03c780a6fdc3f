"""A transport in a process of its own, whose memory and files an attack may cost.

`python -m tests.native.transport.victim LIMITS`, as JSON, is that process.
"""

import contextlib
import ctypes
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bothends_native.transport import Method

from tests.chaos.hostile import PATH
from tests.support.until import TIMEOUT_S, until

from .raw import Raw, framed
from .served import HELD
from .web import WEB_METHODS, Web

ROOT = Path(__file__).parents[3]
IS_SANITIZED = "san" in os.environ.get("LD_PRELOAD", "")
"""True where the process keeps freed memory to find errors: then its size says nothing."""
SMALL = {"held_bytes": 4 << 20, "held_total_bytes": 16 << 20, "unread_bytes": 4 << 20, "unread_total_bytes": 16 << 20}
MAX_GROWTH_MB = 64
"""Four times what SMALL allows of either kind: buffers grow by doubling, and Python holds what it took."""
GIVE = b"give "
"""Begins a request for an answer of so many bytes."""


class Victim:
    """Transport under attack as it is seen from outside, and a neighbour who goes on asking."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port, self.http_port = map(int, self._line().split())
        self.neighbour = Raw(self.port)
        self.slowest_s = 0.0
        self.is_answered()
        self._before = self.vitals()

    def vitals(self, *, trims: bool = False) -> dict[str, float]:
        """The transport's figures, its memory in MB (what is free given back first, if it `trims`) and its files."""
        assert self._process.stdin is not None
        self._process.stdin.write("trim\n" if trims else "\n")
        self._process.stdin.flush()
        vitals: dict[str, float] = json.loads(self._line())
        return vitals

    def is_answered(self) -> None:
        """The neighbour asks once, and is answered right."""
        began = time.monotonic()
        response = self.neighbour.echo(b"neighbour")
        self.neighbour.over(response)
        assert (response.status, response.content) == ("0", framed(b"neighbour"))
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.neighbour.responses.clear()

    @property
    def growth_mb(self) -> float:
        """Memory that it holds more than at the beginning."""
        return self._more_mb(trims=False)

    @property
    def kept_mb(self) -> float:
        """Memory that it holds more than at the beginning, less what is free.

        Of that glibc keeps tens of MB, or none, as threads took their turns.
        """
        return self._more_mb(trims=True)

    def let_go(self) -> None:
        """Wait until nothing is held for anybody but the neighbour, who is answered as ever."""

        def is_free() -> bool:
            now = self.vitals()
            return (
                not any(now[name] for name in HELD)
                and now["connections"] == 1
                and now["files"] <= self._before["files"]
            )

        until(is_free)
        self.is_answered()
        assert self.slowest_s < TIMEOUT_S / 10

    def _more_mb(self, *, trims: bool) -> float:
        return 0 if IS_SANITIZED else self.vitals(trims=trims)["rss_mb"] - self._before["rss_mb"]

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextlib.contextmanager
def attacked(**limits: Any) -> Iterator[Victim]:
    """A transport that is attacked in the block; afterwards it has let everything go, and ended well."""
    command = [sys.executable, "-m", "tests.native.transport.victim", json.dumps(limits)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        victim = Victim(process)
        try:
            yield victim
            victim.let_go()
        finally:
            victim.neighbour.__exit__()
            assert process.stdin is not None
            process.stdin.close()
            code = process.wait(TIMEOUT_S)
        assert code == 0


class Giving(Web):
    """A transport that gives as many bytes as it is asked for, and answers each request over HTTP."""

    def _answer(self) -> None:
        while (batch := self.transport.take_messages(64, 1.0)) is not None:
            contents = [message.content for message in batch.messages]
            answers = [bytes(int(asked[len(GIVE) :])) if asked.startswith(GIVE) else asked for asked in contents]
            self.transport.answer([message.id for message in batch.messages], answers)
            self.transport.ended()

    def _apply(self) -> None:
        while (taken := self.transport.take_requests()) is not None:
            for request in taken.requests:
                self.respond(request)
            select.select([self.transport.requests_descriptor()], [], [], 1.0)


def main() -> None:
    """Serve, and tell of it for each line that is read."""
    served = Giving(methods=[*WEB_METHODS, Method(PATH)], **json.loads(sys.argv[1]))
    served.answering()
    served.answering_requests()
    sys.stdout.write(f"{served.port} {served.http_port}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        if line.startswith("trim"):
            ctypes.CDLL(None).malloc_trim(0)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        own = {
            "rss_mb": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            "files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        }
        sys.stdout.write(json.dumps(served.transport.figures() | own) + "\n")
        sys.stdout.flush()
    served.stop()
    assert threading.active_count() == 1


if __name__ == "__main__":
    main()
