"""Requests that a server answers, or not, by the Host and the Origin that they name: DNS rebinding, and other sites."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from bothends.model.bundle import Bundle
from bothends.server.http.hosts import Hosts, guarded
from bothends.server.server import Server
from bothends.settings import Settings
from tests.support.doors import serving
from tests.support.until import TIMEOUT_S

PAGE = Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"), methods=["GET", "POST"])])
EVERYWHERE = "0.0.0.0"  # noqa: S104  the very address that is asked about


@pytest.fixture(scope="module")
def local(toy_bundle: Bundle) -> Iterator[httpx.Client]:
    """A caller of a server that only its own machine reaches."""
    with serving(toy_bundle) as server, httpx.Client(base_url=url_of(server), timeout=TIMEOUT_S) as http:
        yield http


def url_of(server: Server) -> str:
    return f"http://127.0.0.1:{server.http_port}"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.:1", "127.0.0.1:8080", "127.9.9.9", "[::1]:80", "a.localhost"]
)
def test_a_machine_answers_to_its_own_names(local: httpx.Client, host: str) -> None:
    assert local.get("/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1/models", "/healthz"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evillocalhost", "localhost.evil.example", "127.0.0.1.evil.example:8080", "[::2", "::"]
)
def test_a_name_that_was_made_to_lead_here_is_not_answered(local: httpx.Client, host: str, path: str) -> None:
    """No page tells anything to a site whose name leads to its visitor's machine: it is told how that is allowed."""
    answer = local.get(path, headers={"host": host})
    assert answer.status_code == 421
    assert "--allowed-hosts" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/explain"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://[::2"])
def test_a_page_of_another_site_has_no_work_done(local: httpx.Client, path: str, origin: str) -> None:
    answer = local.post(path, json={}, headers={"origin": origin})
    assert answer.status_code == 403
    assert "--allowed-hosts" in answer.json()["error"]["message"]


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "http://localhost:3000", "https://[::1]"])
def test_pages_of_this_machine_have_work_done(local: httpx.Client, origin: str) -> None:
    assert local.post("/explain", json={"sentence": "a"}, headers={"origin": origin}).status_code == 200


def test_a_probe_of_old_that_names_no_host_is_answered(toy_bundle: Bundle) -> None:
    async def ask() -> int:
        app = guarded(PAGE, Hosts.of(Settings(), "127.0.0.1"))
        messages = list[Message]()

        async def send(message: Message) -> None:
            messages.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "root_path": ""}
        await app(scope, None, send)  # type: ignore[arg-type]
        return int(messages[0]["status"])

    assert asyncio.run(ask()) == 200


CASES = [
    ("127.0.0.1", {"allowed_hosts": "Here.example, there.example"}, "here.example:80", None, 200),
    ("127.0.0.1", {"allowed_hosts": "here.example"}, "there.example", None, 421),
    ("127.0.0.1", {"allowed_hosts": "here.example"}, "here.example", "https://here.example", 200),
    ("127.0.0.1", {"allowed_hosts": "here.example"}, "localhost", "https://here.example:444", 200),
    ("127.0.0.1", {"allowed_hosts": "here.example"}, "here.example", "https://there.example", 403),
    ("127.0.0.1", {}, "10.0.0.1", None, 421),
    ("::1", {}, "here.example", None, 421),
    (EVERYWHERE, {}, "here.example", "https://there.example", 200),
    (EVERYWHERE, {"allowed_hosts": "here.example"}, "there.example", None, 421),
    (EVERYWHERE, {"allowed_hosts": "here.example"}, "10.0.0.1:8080", None, 200),
    (EVERYWHERE, {"allowed_hosts": "here.example"}, "10.0.0.1:8080", "http://10.0.0.1:8080", 200),
    (EVERYWHERE, {"allowed_hosts": "here.example"}, "10.0.0.1:8080", "http://10.0.0.2:8080", 403),
]


@pytest.mark.parametrize(("bound_to", "given", "host", "origin", "status"), CASES)
def test_which_names_are_answered(
    bound_to: str, given: dict[str, str], host: str, origin: str | None, status: int
) -> None:
    """A server that others reach answers as ever, unless names are given; then to these, and to addresses."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(guarded(PAGE, Hosts.of(Settings(**given), bound_to)))
        headers = {"host": host} | ({} if origin is None else {"origin": origin})
        async with httpx.AsyncClient(transport=transport, base_url="http://ignored") as http:
            return await http.post("/", headers=headers)

    assert asyncio.run(ask()).status_code == status
