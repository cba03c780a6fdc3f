"""A front is one record: one that only this test knows has all that any has, whatever serves."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import httpx
import orjson
import pytest
from google.rpc import status_pb2
from starlette.routing import BaseRoute

from bothends.model.bundle import Bundle
from bothends.server.fronts import FRONTS, page
from bothends.server.fronts.front import Front, Served, documented
from bothends.server.fronts.tei.codec import texts_codec
from bothends.server.fronts.tei.endpoints import Tei
from bothends.server.fronts.tei.requests import TeiEmbedRequest, TeiEmbedResponse, TeiErrorResponse
from bothends.server.http.openapi import Operation
from bothends.server.http.routes import HttpRoutes
from bothends.server.server import Server
from bothends.settings import Settings
from tests.server.models import TRANSPORTS
from tests.support.doors import serving
from tests.support.paths import ROOT
from tests.support.until import until

MAX_BYTES = 1024
NAME = "POST /dummy"


def _routes(served: Served, http: HttpRoutes) -> Sequence[BaseRoute]:
    return [http.posts("/dummy", Tei(served.service).embed)]


def _render_error(_: int, status: status_pb2.Status) -> bytes:
    return orjson.dumps({"dummy": status.message})


DUMMY = Front(
    name="dummy",
    paths=(NAME,),
    operations=(Operation("post", "/dummy", "Embed texts", TeiEmbedResponse, TeiErrorResponse, TeiEmbedRequest),),
    routes=_routes,
    render_error=_render_error,
    status_of=lambda _: 418,
    native={"/dummy": texts_codec},
    embedding_methods=(NAME,),
)
"""It embeds as another does, at a path and in words of its own."""


@pytest.fixture(scope="module", params=TRANSPORTS)
def server(request: pytest.FixtureRequest, toy_bundle: Bundle) -> Iterator[Server]:
    fronts, settings = (*FRONTS, DUMMY), {"transport": request.param, "max_message_bytes": MAX_BYTES}
    with serving(toy_bundle, fronts=fronts, **settings) as served:
        yield served


def answered(server: Server, path: str) -> int:
    """Count the dummy's requests that were answered natively, or by Python."""
    labels = {"method": NAME, "path": path}
    return int(server.metrics.registry.get_sample_value("bothends_path_requests_total", labels) or 0)


def test_it_answers_natively_and_by_python(server: Server, http: httpx.Client) -> None:
    """The same bytes by either; what has a query is for Python."""
    expected = http.post("/embed", json={"inputs": "a man"})
    plain = "native" if server.transport == "native" else "python"
    counts = Counter({path: answered(server, path) for path in ("native", "python")})
    for path in ("/dummy", "/dummy?"):
        found = http.post(path, json={"inputs": "a man"})
        assert (found.status_code, found.content) == (200, expected.content)
    counts.update(["python", plain])
    until(lambda: {path: answered(server, path) for path in counts} == counts)


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b'{"nothing": 1}', 418, "unknown parameter 'nothing'"),
        (b'{"inputs": []}', 418, "there are no sentences"),
        (b" " * (MAX_BYTES + 1), 413, f"the request's body has more than this server's limit of {MAX_BYTES} bytes"),
    ],
)
def test_its_errors_are_in_its_words(http: httpx.Client, body: bytes, code: int, words: str) -> None:
    """Those of a request that is refused before Python sees it, too."""
    answer = http.post("/dummy", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == code
    assert answer.json()["dummy"].startswith(words), answer.text


def test_another_method_is_refused_in_its_words(http: httpx.Client) -> None:
    answer = http.get("/dummy")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"dummy": "this path has no such method; it has POST"}


def test_it_stands_wherever_fronts_are_listed(server: Server, http: httpx.Client) -> None:
    """What callers of another path are told, the document, the banner, and metrics before its first call."""
    assert http.post("/nothing").json()["error"]["message"] == (
        "there is no such path; there are POST /v1/embeddings, GET /v1/models, POST /embed, GET /info, "
        "POST /api/embed, POST /dummy and those that GET /openapi.json lists"
    )
    document = http.get("/openapi.json").json()
    assert document["paths"]["/dummy"].keys() == {"post"}
    assert {"/v1/embeddings", "/embed", "/api/embed"} < document["paths"].keys()
    assert "  /v1/embeddings /embed /api/embed /dummy /metrics /healthz /readyz  by " in server.banner()
    assert f'bothends_requests_total{{code="CANCELLED",method="{NAME}"}} 0.0' in http.get("/metrics").text


def test_its_time_is_an_embeddings(http: httpx.Client) -> None:
    """The page's latency counts it."""

    def counted() -> int:
        return sum(http.get("/live").json()["latency"]["counts"])

    before = counted()
    assert http.post("/dummy", json={"inputs": "a man"}).is_success
    until(lambda: counted() == before + 1)


def test_no_two_fronts_are_one() -> None:
    """Names, gRPC services and the paths of natively answered calls are each one front's."""
    names = [front.name for front in FRONTS]
    offered = [name for front in FRONTS for name in (*front.services, *front.native)]
    assert len(set(names)) == len(names)
    assert len(set(offered)) == len(offered)


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
def test_what_a_record_names_is_documented(front: Front) -> None:
    """Each path that it tells of, or has answered natively, is among its operations."""
    documented = {f"{each.method.upper()} {each.path}" for each in front.operations}
    assert {*front.paths, *(f"POST {path}" for path in front.native)} <= documented


def test_the_help_of_settings_names_the_apis() -> None:
    """Settings know nothing of fronts, so that their words repeat what stands in the records."""
    told = {name: str(field.description) for name, field in Settings.model_fields.items()}
    for front in documented(FRONTS):
        assert front.name in told["http_api"]
        if front.native:
            path = front.paths[0].removeprefix("POST ") if front.paths else front.name
            assert path in told["max_concurrent_requests"]


def test_the_promise_is_of_all_that_embeds() -> None:
    """Alerts and objectives know methods by a pattern: it fits that of each front but the page's."""
    rules = "".join(each.read_text(encoding="utf-8") for each in (ROOT / "deploy/prometheus/rules").glob("*.yml"))
    patterns = set(re.findall(r'method=~"([^"]+)"', rules))
    assert patterns
    for front in FRONTS:
        if front is not page.FRONT:
            name = (front.paths or front.embedding_methods)[0]
            assert all(re.fullmatch(pattern, name) for pattern in patterns), name
