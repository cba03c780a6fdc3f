"""Ollama's API over HTTP against a real server: the same vectors as over gRPC, to the last bit."""

import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client import generate_latest

from bothends.client.sync import Client
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.server.responder import Responder
from bothends.server.server import Server
from tests.support.doors import put, serving
from tests.support.fronts import http_of
from tests.support.lending import is_read_natively

SENTENCES = ["there will be dragons", "a man plays the guitar and a woman sings", "no"]
LONG = "first " + "there will be dragons " * 200 + "last"
"""More than the model reads."""
PATHS = "bothends_path_requests_total"


def embedded(answer: httpx.Response) -> np.ndarray:
    """Read the vectors of an answer that must be right, as float32."""
    assert answer.status_code == 200, answer.text
    return np.array(answer.json()["embeddings"], np.float32)


def told(answer: httpx.Response) -> tuple[int, str]:
    """The error that it holds, which is one line and in the API's shape."""
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].isprintable()
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("model", [{"model": "english"}, {"model": "english:latest"}, {"model": "default"}, {}])
def test_one_text_or_several(http: httpx.Client, client: Client, model: dict[str, str]) -> None:
    """Unit vectors by any of the model's names, beside what the API says of a call."""
    expected = client.encode(SENTENCES, normalize=True)
    answer = http.post("/api/embed", json={**model, "input": SENTENCES, "keep_alive": "5m", "options": {"seed": 1}})
    assert np.array_equal(embedded(answer), expected)
    assert answer.json()["model"] == model.get("model", "english")
    assert answer.json()["prompt_eval_count"] == sum(client.embed(SENTENCES).token_counts)
    assert answer.json()["total_duration"] > 0
    assert np.array_equal(embedded(http.post("/api/embed", json={**model, "input": SENTENCES[0]})), expected[:1])
    short = http.post("/api/embed", json={**model, "input": SENTENCES, "dimensions": 64})
    assert np.array_equal(embedded(short), client.encode(SENTENCES, normalize=True, dimensions=64))


@pytest.mark.parametrize("count", [1, 16, 200])
def test_the_time_that_is_told_is_the_calls(http: httpx.Client, count: int) -> None:
    """In nanoseconds, of a list too, which is computed in slices."""
    asked = time.monotonic_ns()
    told_ns = http.post("/api/embed", json={"input": SENTENCES[:1] * count}).json()["total_duration"]
    assert 0 < told_ns <= time.monotonic_ns() - asked


def test_the_older_way(http: httpx.Client, client: Client) -> None:
    """One text, whose vector has the length that the model gave it."""
    answer = http.post("/api/embeddings", json={"model": "english", "prompt": SENTENCES[0]})
    assert np.array_equal(np.array([answer.json()["embedding"]], np.float32), client.encode(SENTENCES[:1]))
    assert http.post("/api/embeddings", json={"model": "english", "prompt": ""}).json() == {"embedding": []}


def test_a_long_text_is_cut_unless_that_is_refused(http: httpx.Client, client: Client) -> None:
    """As Ollama does; the header says how many were."""
    answer = http.post("/api/embed", json={"input": ["fine", LONG]})
    assert answer.headers["x-truncated-inputs"] == "1"
    assert np.array_equal(embedded(answer), client.embed(["fine", LONG], normalize=True).rows)
    assert told(http.post("/api/embed", json={"input": ["fine", LONG], "truncate": False})) == (
        400, "input[1] has more than the 256 tokens that the model reads",
    )  # fmt: skip
    assert http.post("/api/embeddings", json={"prompt": LONG}).headers["x-truncated-inputs"] == "1"


@pytest.mark.parametrize("given", ["", []])
def test_a_request_without_a_text_loads_the_model(http: httpx.Client, given: Any) -> None:
    """It is loaded already."""
    assert embedded(http.post("/api/embed", json={"model": "english", "input": given})).size == 0


BAD: dict[str, tuple[str, dict[str, Any], tuple[int, str]]] = {
    "another model": ("embed", {"model": "llama3", "input": "a"}, (404, "the model 'llama3' does not exist here")),
    "another tag": (
        "embed",
        {"model": "english:v2", "input": "a"},
        (404, "the model 'english:v2' does not exist here"),
    ),
    "nothing": ("embed", {"model": "english"}, (400, "missing parameter 'input'")),
    "token ids": ("embed", {"input": [1, 2]}, (400, "input[0] isn't a string")),
    "blank": ("embed", {"input": ["a", " "]}, (400, "input[1] is empty")),
    "too many": ("embed", {"input": ["a"] * 301}, (400, "301 sentences are more than")),
    "far too many": ("embed", {"input": ["a"] * 1000}, (400, "more than the 728 values")),
    "dimensions": ("embed", {"input": "a", "dimensions": 3}, (400, "offers 64, 128, 256, 512")),
    "another parameter": ("embed", {"input": "a", "promt": 1}, (400, "unknown parameter 'promt'")),
    "several prompts": ("embeddings", {"prompt": ["a", "b"]}, (400, "prompt: input should be a valid string")),
    "a model to show": ("show", {"model": "llama3"}, (404, "'english' is served")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told_what_and_where(http: httpx.Client, name: str) -> None:
    path, body, (status, message) = BAD[name]
    code, error = told(http.post(f"/api/{path}", json=body))
    assert (code, message in error) == (status, True), error


def test_what_clients_ask_first(http: httpx.Client, english: Bundle) -> None:
    """The models, as names with a tag; one of them; the version."""
    for path in ("tags", "ps"):
        [model] = http.get(f"/api/{path}").json()["models"]
        assert model["name"] == model["model"] == "english:latest"
        assert model["digest"] == english.config.sha256["model.onnx"]
    for asked in ({"model": "english"}, {"name": "english:latest"}):
        shown = http.post("/api/show", json=asked).json()
        assert shown["capabilities"] == ["embedding"]
        assert shown["model_info"]["lstm.embedding_length"] == 512
    assert http.get("/api/version").json().keys() == {"version"}


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", None])
def test_json_of_any_content_type_is_read_unless_another_hosts_page_sends_it(
    http: httpx.Client, kind: str | None
) -> None:
    """As curl sends it. A browser sends such types for any page, and asks before it sends JSON."""
    content = b'{"model": "english", "input": "a man"}'
    headers = {} if kind is None else {"content-type": kind}
    expected = embedded(http.post("/api/embed", json={"model": "english", "input": "a man"}))
    for origin in ({}, {"origin": str(http.base_url).rstrip("/")}):
        assert np.array_equal(embedded(http.post("/api/embed", content=content, headers=headers | origin)), expected)
    assert http.post("/api/show", content=b'{"model": "english"}', headers=headers).status_code == 200
    for page in ("http://[::1]", "http://localhost:3000"):  # of this machine, and yet of another host
        status, error = told(http.post("/api/embed", content=content, headers=headers | {"origin": page}))
        assert (status, error.endswith("; send application/json")) == (415, True)
    assert http.post("/v1/embeddings", content=content, headers=headers).status_code == 415


@pytest.mark.parametrize("path", ["generate", "chat", "pull", "nothing"])
def test_what_is_not_offered_is_told_in_a_line(http: httpx.Client, path: str) -> None:
    status, error = told(http.post(f"/api/{path}", json={"model": "english"}))
    assert status == 404
    assert "this server embeds and does nothing else of Ollama's" in error


def test_an_alias_is_a_name_of_the_model(toy_bundle: Bundle) -> None:
    """One that a program has hard-coded."""
    alias = "nomic-embed-text"
    with serving(toy_bundle, model_alias=alias) as server, http_of(server) as http:
        assert embedded(http.post("/api/embed", json={"model": alias, "input": "a"})).shape[0] == 1
        names = [model["name"] for model in http.get("/api/tags").json()["models"]]
        assert names == ["toy:latest", f"{alias}:latest"]


def test_what_asks_for_no_text_costs_nothing(toy_bundle: Bundle, tmp_path: Path) -> None:
    """It is answered to a key whose share was had, too."""
    key, entry = new("us")
    put(tmp_path / "keys.toml", f"{entry}sentences_per_s = 0.01\n".encode())
    headers = {"authorization": f"Bearer {key}"}
    with serving(toy_bundle, api_keys=tmp_path / "keys.toml") as server, http_of(server, headers) as http:
        assert embedded(http.post("/api/embed", json={"input": ["a"] * 8})).shape[0] == 8
        assert http.post("/api/embed", json={"input": "a"}).status_code == 429
        for nothing in ("", [], [""]):
            assert embedded(http.post("/api/embed", json={"input": nothing})).size == 0
        assert http.post("/api/embeddings", json={"prompt": ""}).json() == {"embedding": []}


@pytest.mark.parametrize(("path", "asked"), [("embed", {"input": "a man"}), ("embeddings", {"prompt": "a man"})])
def test_a_plain_call_never_comes_to_python(
    server: Server, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str, asked: dict[str, str]
) -> None:
    """It is counted all the same, by its method."""
    if not is_read_natively(server):
        pytest.skip("nothing is served by C++ alone here")
    http.post(f"/api/{path}", json=asked)  # once it has served, it has borrowed the model
    counts = [served(server, "bothends_requests_total", path, code="OK"), served(server, PATHS, path, path="native")]
    monkeypatch.setattr(Responder, "embed", None)
    assert http.post(f"/api/{path}", json=asked).status_code == 200
    after = [served(server, "bothends_requests_total", path, code="OK"), served(server, PATHS, path, path="native")]
    assert after == [count + 1 for count in counts]


def served(server: Server, name: str, to: str, **labels: str) -> float:
    """Return how many calls of a method a metric has counted."""
    generate_latest(server.metrics.registry)  # a scrape has all counted
    return server.metrics.registry.get_sample_value(name, {"method": f"POST /api/{to}", **labels}) or 0
