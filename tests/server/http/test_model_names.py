"""Names by which HTTP's callers ask for the model, or none."""

from typing import Any

import httpx
import pytest


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/v1/embeddings?"])  # a query is for Python
@pytest.mark.parametrize("named", [{}, {"model": None}, {"model": "default"}, {"model": "english"}])
def test_a_request_needs_no_models_name(http: httpx.Client, path: str, named: dict[str, Any]) -> None:
    """The answer has the name of the one that is served."""
    answer = http.post(path, json={"input": "a", **named})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "english"


@pytest.mark.parametrize("name", ["", "Default", "another", "english:latest"])
def test_another_name_is_refused(http: httpx.Client, name: str) -> None:
    """The error says which is served."""
    answer = http.post("/v1/embeddings", json={"input": "a", "model": name})
    assert answer.status_code == 404
    assert "'english' is served, as it is where no model is named" in answer.json()["error"]["message"]
