"""Clients of Ollama, unmodified, against a real server."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.foreign_clients import CUT, Asked, serving

pytestmark = pytest.mark.slow  # starts other people's clients


@pytest.fixture(scope="module", params=["open", "keys"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """One that asks for keys, and one that doesn't."""
    keys = None if request.param == "open" else tmp_path_factory.mktemp("keys") / "keys.toml"
    with serving(keys) as asked:
        yield asked


def test_every_client(server: Asked) -> None:
    """Ollama's own package, LangChain's and LlamaIndex's: our own client's very numbers, and what each asks first."""
    found = server.by("ollama_clients.py", server.running.http)
    expected = server.encode()
    assert set(found) == {"ollama", "LangChain", "LlamaIndex"}
    for name, ways in found.items():
        for way in {"documents", "asyncio"} & ways.keys():
            assert np.array_equal(np.array(ways[way], np.float32), expected), (name, way)
        assert np.array_equal(np.array(ways["query"], np.float32), expected[:1]), name
    own = found["ollama"]
    assert np.array_equal(np.array(own["raw"], np.float32), server.encode(normalize=False))
    assert np.array_equal(np.array(own["dimensions"], np.float32), server.encode(dimensions=64))
    assert np.array_equal(np.array(own["start"], np.float32), server.encode(CUT))
    assert own["models"] == own["running"] == ["english:latest"]
    assert (own["capabilities"], own["context_length"]) == (["embedding"], 256)
    (unknown, no_model), (long, too_long) = own["refused"]
    assert (unknown, long) == (404, 400)
    assert "the model 'llama3' does not exist here; 'english' is served" in no_model
    assert "input[0] has more than the 256 tokens that the model reads" in too_long
