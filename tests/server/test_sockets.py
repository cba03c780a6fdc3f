"""Sockets of the server's ports: how many there may be, by what the system allows a process."""

import resource
import socket
import subprocess
import sys
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from bothends.server.sockets import allow_sockets
from tests.support.serving import finish, start
from tests.support.transports import native_alone
from tests.support.until import TIMEOUT_S, until

FILES, CONNECTIONS = 256, 200
"""That a process has from the system, and that each port may have."""
ASK = """
import resource, sys
from bothends.server.sockets import allow_sockets
soft, hard, count = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(allow_sockets(count), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "count", "told"),
    [
        pytest.param(100, 400, 200, "None 264 400", id="raised"),
        pytest.param(300, 400, 200, "None 300 400", id="enough"),
        pytest.param(100, 400, 1000, "400 400 400", id="too few"),
    ],
)
def test_a_process_may_have_as_many_sockets_as_the_system_lets_it(soft: int, hard: int, count: int, told: str) -> None:
    limits = (str(each) for each in (soft, hard, count))
    done = subprocess.run([sys.executable, "-c", ASK, *limits], capture_output=True, text=True, check=True)
    assert done.stdout.split() == told.split()


def test_files_without_a_limit_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", None)
    assert allow_sockets(1 << 20) is None


@native_alone
def test_both_ports_have_all_their_connections_where_a_process_begins_with_fewer_files() -> None:
    running = start("--max-connections", str(CONNECTIONS), files=FILES)
    try:
        web = urlsplit(running.http)
        with ExitStack() as stack:
            looks = stack.enter_context(httpx.Client(base_url=running.http, timeout=TIMEOUT_S))
            looks.get("/healthz")
            ports = [(web.hostname, web.port)] * (CONNECTIONS - 1) + [running.target.rsplit(":")] * CONNECTIONS
            for host, port in ports:
                stack.enter_context(socket.create_connection((str(host), int(port or 0)), TIMEOUT_S))
            wanted = {f"bothends_{kind}_connections {CONNECTIONS}.0" for kind in ("http", "grpc")}
            until(lambda: wanted <= {*looks.get("/metrics").text.splitlines()})
    finally:
        finish(running)
