"""Pages of other origins in a browser: those that --cors-origins names may call, and no others."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bothends.errors import SettingsError
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.settings import Settings
from tests.support.doors import put, serving
from tests.support.fronts import http_of

APP, OTHER = "https://app.example.org", "https://other.example.org"
ALLOWED = "access-control-allow-origin"
PATHS = {"/v1/embeddings": {"input": "a"}, "/embed": {"inputs": "a"}, "/api/embed": {"input": "a"}}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    made, entry = new("us")
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    put(file, entry.encode())
    return made, file


@pytest.fixture(scope="module")
def http(toy_bundle: Bundle, key: tuple[str, Path]) -> Iterator[httpx.Client]:
    """A server that a page may call."""
    origins = f"{APP}, HTTP://LOCALHOST:3000"
    with serving(toy_bundle, cors_origins=origins, api_keys=key[1]) as server, http_of(server) as connected:
        yield connected


def asked_before(http: httpx.Client, origin: str) -> httpx.Response:
    """Ask as browsers do before a page's script posts JSON with a key."""
    headers = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    return http.options("/v1/embeddings", headers=headers | {"origin": origin})


@pytest.mark.parametrize("origin", [APP, "http://localhost:3000"])
def test_a_page_that_is_named_may_call(http: httpx.Client, key: tuple[str, Path], origin: str) -> None:
    """It is told so before it calls, and with each answer, also with an error's, whoever makes it."""
    answer = asked_before(http, origin)
    assert (answer.status_code, answer.headers[ALLOWED]) == (200, origin)
    assert {"authorization", "content-type"} <= set(answer.headers["access-control-allow-headers"].split(","))
    holder = {"authorization": f"Bearer {key[0]}", "origin": origin}
    for path, body in PATHS.items():
        found = http.post(path, json=body, headers=holder)
        assert (found.status_code, found.headers[ALLOWED]) == (200, origin)
        assert "x-truncated-inputs" in found.headers["access-control-expose-headers"]
        assert "origin" in found.headers["vary"].lower()
        assert "access-control-allow-credentials" not in found.headers
    wrong = http.post("/v1/embeddings", json={"input": 1}, headers=holder)
    assert (wrong.status_code, wrong.headers[ALLOWED]) == (400, origin)
    stranger = http.post("/v1/embeddings", json={"input": "a"}, headers={"origin": origin})
    assert (stranger.status_code, stranger.headers[ALLOWED]) == (401, origin)
    assert "retry-after" in stranger.headers["access-control-expose-headers"]
    assert "origin" in stranger.headers["vary"].lower()


@pytest.mark.parametrize("origin", [OTHER, "http://app.example.org", "https://app.example.org:8443", "null"])
def test_others_may_not(http: httpx.Client, key: tuple[str, Path], origin: str) -> None:
    """Scheme and port count too; nothing is embedded for them."""
    assert ALLOWED not in asked_before(http, origin).headers
    holder = {"authorization": f"Bearer {key[0]}", "origin": origin}
    found = http.post("/v1/embeddings", json={"input": "a"}, headers=holder)
    assert (found.status_code, ALLOWED in found.headers) == (403, False)
    stranger = http.post("/v1/embeddings", json={"input": "a"}, headers={"origin": origin})
    assert ALLOWED not in stranger.headers
    assert stranger.status_code in (401, 403)  # uvicorn's servers look at the origin before the key


def test_nothing_is_said_where_nobody_is_named(toy_bundle: Bundle) -> None:
    with serving(toy_bundle) as server, http_of(server) as http:
        assert asked_before(http, APP).status_code == 405
        found = http.get("/v1/models", headers={"origin": APP})
        assert not [name for name in found.headers if name.startswith("access-control")]


def test_all_may_where_there_are_no_keys(toy_bundle: Bundle) -> None:
    with serving(toy_bundle, cors_origins="*") as server, http_of(server) as http:
        assert asked_before(http, OTHER).status_code == 200
        found = http.post("/v1/embeddings", json={"input": "a"}, headers={"origin": OTHER})
        assert (found.status_code, found.headers[ALLOWED]) == (200, "*")


def test_all_may_not_where_there_are_keys(key: tuple[str, Path]) -> None:
    with pytest.raises(SettingsError, match="isn't taken with --api-keys: name the origins"):
        Settings(cors_origins=f"{APP},*", api_keys=key[1])


@pytest.mark.parametrize(
    "odd", ["app.example.org", "https://app.example.org/", "https://*.example.org", "null", "https://", "https://a@b"]
)
def test_an_origin_is_written_as_browsers_do(odd: str) -> None:
    with pytest.raises(SettingsError, match="an origin is a scheme and a host"):
        Settings(cors_origins=odd)
