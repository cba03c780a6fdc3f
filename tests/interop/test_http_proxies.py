"""Other people's clients over HTTP through the proxies that people put before servers: rows and errors are as without.

A proxy takes HTTP/1.1 and HTTP/2 of its callers, and passes requests on over one of them; uvicorn has HTTP/1.1 alone.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.support.envoys import envoy_of_web
from tests.support.https import speaks_http2
from tests.support.proxies import haproxy_of_web, nginx_of_web
from tests.support.serving import Running

from .http_clients import CURLS, LOADS, by_curl, by_node, by_openai, by_python, load, wrong

pytestmark = pytest.mark.slow  # starts other people's proxies

PROXIES: dict[str, Callable[[str], AbstractContextManager[str]]] = {
    f"{proxy.__name__.partition('_')[0]}, {'HTTP/2' if is_http2 else 'HTTP/1.1'}": partial(proxy, is_http2=is_http2)
    for proxy in (haproxy_of_web, nginx_of_web, envoy_of_web)
    for is_http2 in (False, True)
}
"""Each, and what it speaks with the server."""
OTHERS = {"HTTP/1.0", "HTTP/1.0 that is kept", "HTTP/2 if the server offers it"}
"""Ways of curl's that not every proxy takes: Envoy no HTTP/1.0, HAProxy no upgrade before HTTP/2."""
LARGE = b'{"model":"english","input":"%s"}' % (b"x" * (5 << 20))


@pytest.fixture(scope="module", params=PROXIES)
def through(request: pytest.FixtureRequest, served: Running) -> Iterator[str]:
    """URL of a proxy before the server."""
    web = urlsplit(served.http)
    if "HTTP/2" in request.param and not speaks_http2((web.hostname or "", web.port or 0)):
        pytest.skip("uvicorn speaks no HTTP/2")
    with PROXIES[request.param](web.netloc) as address:
        yield f"http://{address}"


def test_pythons_libraries(through: str, unit_rows: np.ndarray) -> None:
    assert wrong(by_python(through, "http2"), unit_rows) == []


def test_openais_package(through: str, unit_rows: np.ndarray) -> None:
    """Its own classes for what goes wrong, too."""
    found = by_openai(through)
    assert wrong({"openai": {way: found[way] for way in ("default", "float", "asyncio")}}, unit_rows) == []
    assert found["models"] == ["english"]
    told = {name: (error["class"], error["param"]) for name, error in found["errors"].items()}
    assert told["model"] == ("NotFoundError", "model")
    assert told["empty"] == ("BadRequestError", "input[1]")


def test_nodes(through: str, unit_rows: np.ndarray) -> None:
    found, refusal = by_node(through)
    assert refusal == {"status": 400, "param": "input[1]", "class": "BadRequestError"}
    assert wrong(found, unit_rows) == []


@pytest.mark.parametrize("way", sorted(CURLS.keys() - OTHERS))
def test_curls(through: str, unit_rows: np.ndarray, tmp_path: Path, way: str) -> None:
    statuses, answers, _ = by_curl(through, way, tmp_path)
    assert statuses == ["200"] * 3
    got = [[item["embedding"] for item in json.loads(answer)["data"]] for answer in answers]
    assert wrong({way: {str(number): rows for number, rows in enumerate(got)}}, unit_rows) == []


@pytest.mark.parametrize("way", ["HTTP/1.1", "HTTP/2"])
def test_a_body_that_is_too_large_is_told_so(through: str, tmp_path: Path, way: str) -> None:
    """The server reads no more of it, and the proxy has its words for the caller all the same."""
    (status,), (answer,), _ = by_curl(through, way, tmp_path, body=LARGE, calls=1)
    assert status == "413"
    assert "limit of 4194304 bytes" in json.loads(answer)["error"]["message"]


@pytest.mark.parametrize("name", sorted(name for name in LOADS if not name.startswith("ab")))
def test_no_call_of_a_load_generator_is_lost(through: str, tmp_path: Path, name: str) -> None:
    load(through, name, tmp_path)
