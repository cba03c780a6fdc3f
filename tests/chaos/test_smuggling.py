"""A request that can be read in two ways hides in no other, where callers share a proxy's connection."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress

import pytest

from tests.support.https import answer_on
from tests.support.proxies import haproxy_of_requests, nginx_of_requests
from tests.support.until import TIMEOUT_S

from .smuggling import CASES, STARTS
from .victim import Victim, victim

pytestmark = pytest.mark.chaos
_HEALTHY = 200, '{"status":"alive"}'
_GET = STARTS["a page"] + b"\r\n"
_VICTIMS = 4


@pytest.fixture(scope="module")
def attacked() -> Iterator[Victim]:
    with victim() as server:
        yield server


@pytest.fixture(scope="module", params=[haproxy_of_requests, nginx_of_requests], ids=["haproxy", "nginx"])
def through(request: pytest.FixtureRequest, attacked: Victim) -> Iterator[str]:
    """Socket of a proxy that has one connection to the server, for the requests of all of its callers."""
    proxy: Callable[[str], AbstractContextManager[str]] = request.param
    with proxy("{}:{}".format(*attacked.http)) as address:
        yield address.removeprefix("unix:")


def test_nobody_behind_a_proxy_gets_anothers_answer(through: str) -> None:
    """Whatever the proxy makes of the request: those who share its connection to the server get their own answers."""
    assert {case: found for case, content in CASES.items() if (found := beside(through, content)) != [_HEALTHY]} == {}


def beside(address: str, content: bytes) -> list[tuple[int, str]]:
    """Return what some who ask for health are answered while an attacker's request is open, and after it: each once."""
    with socket.socket(socket.AF_UNIX) as attacker:
        attacker.settimeout(TIMEOUT_S)
        attacker.connect(address)
        with suppress(ConnectionError):
            attacker.sendall(content)
        found = {health(address) for _ in range(_VICTIMS)}
    return sorted(found | {health(address)})


def health(address: str) -> tuple[int, str]:
    """Ask for health as somebody else does, on a connection of their own."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(TIMEOUT_S)
        caller.connect(address)
        caller.sendall(_GET)
        return answer_on(caller)
