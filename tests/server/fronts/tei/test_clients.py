"""Clients of text-embeddings-inference, unmodified, against a real server, and the document that shows them."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.foreign_clients import CUT, SENTENCES, Asked, serving

pytestmark = pytest.mark.slow  # starts other people's clients


@pytest.fixture(scope="module", params=["open", "keys"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """One that asks for keys, and one that doesn't."""
    keys = None if request.param == "open" else tmp_path_factory.mktemp("keys") / "keys.toml"
    with serving(keys) as asked:
        yield asked


def test_every_client(server: Asked) -> None:
    """huggingface_hub, LlamaIndex, Haystack (over gRPC too), LangChain, Milvus' request, tei-client: our own client's
    very numbers.
    """
    found = server.by("tei_clients.py", server.running.http, server.running.target)
    expected = server.encode()
    names = {"huggingface_hub", "LlamaIndex", "Haystack", "Haystack, gRPC", "LangChain", "Milvus", "tei-client"}
    assert set(found) == names | (set() if server.key else {"tei-client, gRPC"})
    for name, ways in found.items():
        for way in {"documents", "asyncio"} & ways.keys():
            assert np.array_equal(np.array(ways[way], np.float32), expected), (name, way)
        if "query" in ways:
            assert np.array_equal(np.array(ways["query"], np.float32), expected[:1]), name
        assert ways.get("model", "english") == "english"
        assert ways.get("tokens", SENTENCES[0].split()) == SENTENCES[0].split()
        assert ways.get("health", True)


def test_options_and_refusals_of_a_client(server: Asked) -> None:
    """Rows of any length, fewer numbers, the end of a long text, a comparison; an error as the API has it."""
    found = server.by("tei_clients.py", server.running.http, server.running.target)
    hub = {way: found["huggingface_hub"][way] for way in ("raw", "dimensions", "end", "similarity", "refused")}
    assert np.array_equal(np.array(hub["raw"], np.float32), server.encode(normalize=False))
    assert np.array_equal(np.array(hub["dimensions"], np.float32), server.encode(dimensions=64))
    assert np.array_equal(np.array(hub["end"], np.float32), server.encode(CUT, truncation="end"))
    first, *others = server.encode()
    assert np.allclose(hub["similarity"], np.array(others) @ first, atol=1e-6)
    told = "inputs[0] has more than the 256 tokens that the model reads"
    assert hub["refused"] == [413, {"error": told, "error_type": "Validation"}]
    if not server.key:
        assert found["tei-client, gRPC"]["refused"][0] == "INVALID_ARGUMENT"
