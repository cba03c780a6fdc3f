"""Paths of all fronts over HTTP: their document, and what callers of any other path are told."""

import importlib
from typing import Any

import httpx
import pytest

from bothends.server.web_routes import document

_GIVEN = {
    "/v1/embeddings": {"input": "a man"},
    "/embeddings": {"model": "default", "input": ["a man"]},
    "/": {"inputs": "a man"},
    "/embed": {"inputs": ["a man", "no"]},
    "/similarity": {"inputs": {"source_sentence": "a man", "sentences": ["no"]}},
    "/tokenize": {"inputs": "a man"},
    "/decode": {"ids": [1037, 2158]},
    "/api/embed": {"model": "english", "input": "a man"},
    "/api/embeddings": {"model": "english", "prompt": "a man"},
    "/api/show": {"model": "english"},
    "/v2/models/{model}/infer": {
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a man", "no"]}],
        "parameters": {"normalize": True, "dimensions": 64},
    },
}
"""A request of each path that takes one."""


@pytest.fixture(scope="module")
def jsonschema() -> Any:
    """The library, which takes more than a second to import: only where these tests run, not in each worker."""
    return importlib.import_module("jsonschema")


def test_the_document_is_valid(jsonschema: Any) -> None:
    """OpenAPI 3.1, in which requests follow their schema and others don't."""
    from openapi_spec_validator import OpenAPIV31SpecValidator  # it imports jsonschema

    made = document()
    OpenAPIV31SpecValidator(made).validate()
    schema = {"$ref": "#/components/schemas/EmbeddingRequest", "components": made["components"]}
    jsonschema.validate({"model": "english", "input": [[1, 2], [3]], "dimensions": 64}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"model": "english", "input": [1], "n": 1}, schema)


def test_answers_follow_the_document(http: httpx.Client, jsonschema: Any) -> None:
    """Each path has what the document says; what is served is the document."""
    made = http.get("/openapi.json").json()
    assert made == document()
    for path, methods in made["paths"].items():
        for method in methods.keys() - {"parameters"}:
            answer = http.request(method, path.replace("{model}", "english"), json=_GIVEN.get(path))
            assert answer.status_code == 200, (path, answer.text)
            schema = methods[method]["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.validate(answer.json(), schema | {"components": made["components"]})
            if "requestBody" in methods[method]:
                schema = methods[method]["requestBody"]["content"]["application/json"]["schema"]
                jsonschema.validate(_GIVEN[path], schema | {"components": made["components"]})


def test_errors_follow_the_document(http: httpx.Client, jsonschema: Any) -> None:
    """Each front's in its own words."""
    made = document()
    for path in _GIVEN:
        answer = http.post(path, json={"nothing": 1})
        assert answer.status_code == (422 if path in ("/", "/embed", "/similarity", "/tokenize", "/decode") else 400), (
            path
        )
        told = made["paths"][path]["post"]["responses"][str(answer.status_code)]
        schema = told["content"]["application/json"]["schema"] | {"components": made["components"]}
        jsonschema.validate(answer.json(), schema)
        assert "unknown parameter 'nothing'" in answer.text


def test_each_operation_but_probes_may_need_a_key() -> None:
    for path, methods in document()["paths"].items():
        operation = methods.get("post") or methods["get"]
        assert "200" in operation["responses"], path
        assert ("security" in operation) == (not path.endswith(("/healthz", "/readyz", "/health", "/live", "/ready")))


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/embed/"])
def test_callers_of_another_path_are_told_of_those_that_there_are(http: httpx.Client, path: str) -> None:
    """Each of them is one of the document's."""
    for answer in (http.get(path), http.post(path, json={})):
        message = answer.json()["error"]["message"]
        assert answer.status_code == 404
        assert "POST /v1/embeddings" in message
        told = [word.strip(",;") for word in message.split() if word.startswith("/")]
        assert set(told) - {"/openapi.json"} <= document()["paths"].keys()


def test_a_base_url_without_v1_is_told(http: httpx.Client) -> None:
    """Embeddings are answered all the same."""
    for path in ("/models", "/models/english"):
        answer = http.get(path)
        assert answer.status_code == 404
        assert "the base URL of OpenAI's clients ends with /v1" in answer.json()["error"]["message"]
    assert (
        http.post("/embeddings", json={"input": "a"}).json() == http.post("/v1/embeddings", json={"input": "a"}).json()
    )


def test_docs_leads_to_the_document(http: httpx.Client) -> None:
    assert http.get("/docs", follow_redirects=True).json() == document()


def test_a_program_is_told_where_to_look(http: httpx.Client) -> None:
    """Who asks at / for JSON gets names and links; a browser, and who asks for anything, the page."""
    answer = http.get("/", headers={"accept": "application/json"})
    assert answer.json()["name"] == "bothends"
    for link in answer.json()["links"].values():
        assert http.request("POST" if link == "/v1/embeddings" else "GET", link, json={"input": "a"}).is_success, link
    for accepted in ("text/html,application/json;q=0.9", "*/*"):
        assert http.get("/", headers={"accept": accepted}).headers["content-type"].startswith("text/html")
