"""Two servers of one model, of which one leaves all to Python: what C++ serves is held to what that answers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import pytest

from bothends.model.bundle import Bundle
from bothends.server.server import Server
from tests.support.doors import connected, embed, serving
from tests.support.gate import Gate
from tests.support.lending import is_read_natively, lend_no_tokenizer
from tests.support.until import TIMEOUT_S, until

EXAMPLES = pytest.mark.parametrize("examples", [8, pytest.param(60, marks=pytest.mark.slow)])
"""How many lists of requests a test draws: few that stand for the many of `make test-slow`."""
TIMES = pytest.mark.parametrize("times", [1, pytest.param(4, marks=pytest.mark.slow)])
"""How many times each hard text is asked, each time by further options."""
LONG = 200_000
"""Real sentences of every kind of the long form: pytest -m slow --long tests/promises/test_two_languages.py."""


class Both:
    """A server whose plain requests C++ serves, and one that leaves all to Python."""

    def __init__(self, native: Server, python: Server) -> None:
        self.native, self.python = native, python

    def served(self, method: str, path: str) -> float:
        """Return how many requests of a method, or messages of its streams, took that path in the first server."""
        labels = {"method": method, "path": path}
        return self.native.metrics.registry.get_sample_value("bothends_path_requests_total", labels) or 0

    @contextmanager
    def agreeing(self, method: str) -> Iterator[Callable[[Sequence[bytes]], int]]:
        """Have both answer requests to a method alike; yields what returns how many had a response."""
        with connected(self.native) as native, connected(self.python) as python:

            def ask(contents: Sequence[bytes]) -> int:
                found = _outcomes(native, method, contents)
                for content, one, other in zip(contents, found, _outcomes(python, method, contents), strict=True):
                    assert one == other, content
                return sum(isinstance(outcome, bytes) for outcome in found)

            yield ask

    @contextmanager
    def streaming(self, method: str) -> Iterator[Callable[[Sequence[bytes]], int]]:
        """Have both answer a stream's messages alike; yields what returns how many had a response."""
        with connected(self.native) as native, connected(self.python) as python:

            def ask(contents: Sequence[bytes]) -> int:
                found = _outcome(native, method, contents)
                assert found == _outcome(python, method, contents), contents
                return len(found) - 1

            yield ask


def _outcome(channel: grpc.Channel, method: str, contents: Sequence[bytes]) -> list[Any]:
    """Return the responses to a stream's messages, and how it ends: its status, with words and details."""
    call: Any = channel.stream_stream(method, bytes, bytes)(iter(contents), timeout=TIMEOUT_S)
    found: list[Any] = []
    with suppress(grpc.RpcError):
        for content in call:
            found.append(content)  # noqa: PERF402  those before an error are kept
    return [*found, (call.code(), call.details(), call.trailing_metadata())]


def _outcomes(channel: grpc.Channel, method: str, contents: Sequence[bytes]) -> list[Any]:
    """Return each one's response, or its status: code, words and details."""
    called: Any = channel.unary_unary(method)
    outcomes: list[Any] = []
    for call in [called.future(content, timeout=TIMEOUT_S) for content in contents]:
        try:
            outcomes.append(call.result())
        except grpc.RpcError:
            outcomes.append((call.code(), call.details(), call.trailing_metadata()))
    return outcomes


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Keeps what Python has read from engines while it is closed. It is open at first."""
    made = Gate(monkeypatch)
    yield made
    made.set()


@pytest.fixture(scope="module")
def both(english: Bundle) -> Iterator[Both]:
    with serving(english, selftest_s=0) as native, pytest.MonkeyPatch.context() as patched:
        if not is_read_natively(native):
            pytest.skip("nothing is served by C++ alone here")
        with connected(native) as channel:  # once it has served, it has borrowed the model
            embed(channel, "a man")
        lend_no_tokenizer(patched)
        with serving(english, selftest_s=0) as python:
            made = Both(native, python)
            until(lambda: made.served("Embed", "native") == 1)
            yield made
            seen = python.metrics.registry.get_sample_value
            http = ("/v1/embeddings", "/embed", "/", "/api/embed", "/api/embeddings")
            others = (*(f"POST {path}" for path in http), "tei.v1.Embed/Embed", "tei.v1.Embed/EmbedStream")
            for method in ("Embed", "EmbedStream", "ModelInfer", *others):
                assert not seen("bothends_path_requests_total", {"method": method, "path": "native"})
