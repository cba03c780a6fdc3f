"""A request that can be read in two ways is refused and ends its connection, so that none hides in another."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress

import pytest

from tests.support.https import answer_on, speaks_http2
from tests.support.proxies import haproxy_of_requests, nginx_of_requests
from tests.support.until import TIMEOUT_S

from .smuggling import CASES, READ_BY_H11, STARTS
from .victim import Victim, victim

pytestmark = pytest.mark.chaos
_REFUSALS = {b"400", b"413", b"415", b"431", b"501", b"505"}
_HEALTHY = 200, '{"status":"alive"}'
_GET = STARTS["a page"] + b"\r\n"
_VICTIMS = 4
_ANSWERS = re.compile(rb"HTTP/1\.\d \d\d\d ")
_OPEN = b"(the connection stays open)"


@pytest.fixture(scope="module")
def attacked() -> Iterator[Victim]:
    with victim() as server:
        yield server


def told(address: str | tuple[str, int], content: bytes) -> bytes:
    """Return all that comes back until the other side ends the connection, which this one doesn't; or that it stays."""
    answer, kind = b"", socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(kind) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(address)
        try:
            connection.sendall(content)
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionError:  # cut off while it was still being told
            pass
        except TimeoutError:
            answer += _OPEN
    return answer


def test_what_may_be_read_in_two_ways_is_refused(attacked: Victim, record: Callable[..., None]) -> None:
    """There is one answer, a refusal, or none; and the connection ends, whatever else has come on it."""
    cases = {case for case in CASES if speaks_http2(attacked.http) or case not in READ_BY_H11}
    answers = {case: told(attacked.http, CASES[case]) for case in cases}
    assert {case: answer for case, answer in answers.items() if not is_refused(answer)} == {}
    record("HTTP/1.1: a request in another", cases=len(cases), lost=0)


def is_refused(answer: bytes) -> bool:
    return not answer.endswith(_OPEN) and len(_ANSWERS.findall(answer)) <= 1 and answer[9:12] in _REFUSALS | {b""}


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
