"""Clients that people have, unmodified, against a real server: OpenAI's, LangChain's, LlamaIndex's and Haystack's.

Each runs in an environment of its own, and can reach nothing but this machine.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.foreign_clients import CUT, Asked, ids, run, serving

pytestmark = pytest.mark.slow  # starts other people's clients


@pytest.fixture(scope="module", params=["open", "keys"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """One that asks for keys, and one that doesn't."""
    keys = None if request.param == "open" else tmp_path_factory.mktemp("keys") / "keys.toml"
    with serving(keys) as asked:
        yield asked


def test_openais_own_package(server: Asked) -> None:
    """The very numbers of our own client, whichever way they travel; and its own classes for what goes wrong."""
    found = server.by("openai_package.py", f"{server.running.http}/v1")
    expected = server.encode()
    for way in ("default", "float", "ids", "asyncio"):
        assert np.array_equal(np.array(found[way], np.float32), expected), way
    for way in ("one", "ids of one"):
        assert np.array_equal(np.array(found[way], np.float32), expected[:1]), way
    assert np.array_equal(np.array(found["dimensions"], np.float32), server.encode(dimensions=64))
    assert np.array_equal(np.array(found["end"], np.float32), server.encode(CUT, truncation="end"))
    tokens = sum(map(len, ids()))
    assert found["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (found["model"], found["models"], found["retrieved"]) == ("english", ["english"], "english")
    told = {name: (error["class"], error["code"], error["param"]) for name, error in found["errors"].items()}
    assert told == {
        "model": ("NotFoundError", "model_not_found", "model"),
        "empty": ("BadRequestError", None, "input[1]"),
        "long": ("BadRequestError", "context_length_exceeded", "input[0]"),
        "none": ("BadRequestError", None, "input"),
        "unknown": ("BadRequestError", None, "n"),
        "retrieve": ("NotFoundError", "model_not_found", "model"),
        **({"key": ("AuthenticationError", "invalid_api_key", None)} if server.key else {}),
        **({"share": ("RateLimitError", "rate_limit_exceeded", None)} if server.key else {}),
    }
    if server.key:
        assert np.array_equal(np.array(found["patient"], np.float32), expected[:1])


@pytest.mark.parametrize("script", ["langchain_embeddings.py", "llama_index_embeddings.py", "haystack_embedders.py"])
def test_what_stands_on_openais_package(server: Asked, script: str) -> None:
    """Many and one, sync and async, shortened, and cut where it can pass that on."""
    found = {way: np.array(rows, np.float32) for way, rows in server.by(script, f"{server.running.http}/v1").items()}
    expected = server.encode()
    assert np.array_equal(found["documents"], expected)
    assert np.array_equal(found["asyncio"], expected)
    assert np.array_equal(found["query"], expected[:1])
    assert np.array_equal(found["dimensions"], server.encode(dimensions=64))
    if "end" in found:
        assert np.array_equal(found["end"], server.encode(CUT, truncation="end"))


def test_a_client_that_would_leave_this_machine_is_caught(tmp_path: Path) -> None:
    """The promise above would be empty otherwise."""
    script = tmp_path / "out.py"
    script.write_text("import urllib.request\nurllib.request.urlopen('http://192.0.2.1/', timeout=5)\n")
    with pytest.raises(AssertionError, match=r"wants to reach 192\.0\.2\.1"):
        run(script)
