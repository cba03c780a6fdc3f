"""Several models by clients of other APIs: Ollama's name one, those of text-embeddings-inference get the first."""

import numpy as np

from bothends.server.server import Server
from tests.support.fronts import http_of

from .models import NAMES, SENTENCES, Truth


def unit(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def test_ollamas_model_chooses(both: Server, truth: Truth) -> None:
    """By either path; all are listed, the first for who names none."""
    with http_of(both) as http:
        for name, asked in [*zip(NAMES, NAMES, strict=True), ("old", "old:latest"), ("english", None)]:
            body = {"input": SENTENCES} | ({} if asked is None else {"model": asked})
            found = np.array(http.post("/api/embed", json=body).json()["embeddings"], np.float32)
            assert np.allclose(found, unit(truth[name]), atol=1e-6)
        older = http.post("/api/embeddings", json={"model": "old", "prompt": SENTENCES[0]}).json()["embedding"]
        assert np.array_equal(np.array(older, np.float32), truth["old"][0])
        assert [model["name"] for model in http.get("/api/tags").json()["models"]] == ["english:latest", "old:latest"]
        shown = http.post("/api/show", json={"model": "old"}).json()["model_info"]
        assert shown["lstm.embedding_length"] == truth["old"].shape[1]
        unknown = http.post("/api/embed", json={"model": "older", "input": "a"})
    assert unknown.status_code == 404
    assert "'english' and 'old' are served" in unknown.json()["error"]


def test_the_api_of_text_embeddings_inference_has_the_first(both: Server, truth: Truth) -> None:
    """It has no word for another; a field of that name is an error, as any is that it lacks."""
    with http_of(both) as http:
        for path in ("/embed", "/"):
            found = np.array(http.post(path, json={"inputs": SENTENCES, "normalize": False}).json(), np.float32)
            assert np.array_equal(found, truth["english"])
        assert http.get("/info").json()["model_id"] == "english"
        refused = http.post("/embed", json={"inputs": "a", "model": "old"})
    assert refused.status_code == 422
    assert "model" in refused.json()["error"]
