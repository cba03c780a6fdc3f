"""Sentences that wait for an engine that the test holds: their room and their deadlines."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.core.embedder import Embedder
from bothends.core.loaded import LoadedModel
from bothends.engines.contract import TokenIds
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import DeadlineError, OverloadedError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.observe.metrics import Metrics
from bothends.settings import EmbedderSettings
from tests.support.until import TIMEOUT_S, until


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


class HeldSession(OnnxRuntimeEngine):
    """The real engine, which runs only while `goes_on` is set."""

    def __init__(self, bundle: Bundle) -> None:
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.begun: list[Sequence[TokenIds]] = []
        super().__init__(bundle)

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        self.begun.append(sentences)
        assert self.goes_on.wait(TIMEOUT_S)
        return super().run(sentences)


@contextmanager
def holding(bundle: Bundle, metrics: Metrics, **settings: Any) -> Iterator[tuple[Embedder, HeldSession]]:
    """Make an embedder in front of an engine that the test holds."""
    session = HeldSession(bundle)
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
    model, chosen = LoadedModel(bundle, tokenizer, session), EmbedderSettings(device="cpu", workers=1, **settings)
    session.begun.clear()
    with Embedder(model, settings=chosen, metrics=metrics) as embedder:
        yield embedder, session
        session.goes_on.set()


@pytest.fixture
def held(english: Bundle, metrics: Metrics) -> Iterator[tuple[Embedder, HeldSession]]:
    """An embedder in front of an engine that the test holds; 2,000 tokens may wait."""
    with holding(english, metrics, max_queue_tokens=2000) as made:
        yield made


def tokenised(metrics: Metrics) -> float:
    """Count of requests that were tokenised."""
    return (
        metrics.registry.get_sample_value("bothends_phase_seconds_count", {"model": "english", "phase": "tokenise"})
        or 0.0
    )


def queued(metrics: Metrics) -> float:
    return metrics.registry.get_sample_value("bothends_queue_sentences") or 0.0


def test_a_deadline_that_passes_frees_the_queue_at_once(held: tuple[Embedder, HeldSession], metrics: Metrics) -> None:
    """A caller whose deadline passes is answered while the engine still runs, and none of its sentences waits on."""
    embedder, session = held
    session.goes_on.clear()
    with pytest.raises(DeadlineError):
        embedder.embed([[5] * 9] * 400, timeout_s=0.3)
    assert not session.goes_on.is_set()
    assert queued(metrics) == 0


def test_what_has_no_room_is_refused_before_it_is_tokenised(
    held: tuple[Embedder, HeldSession], metrics: Metrics
) -> None:
    """Room is counted in tokens: of token ids all that are kept, of text one a sentence at least."""
    embedder, session = held
    session.goes_on.clear()
    rows = [embedder.begin([[5]] * 1000)[1]]
    until(lambda: queued(metrics) < 1000)  # a batch of them runs and is held; the others wait
    read = tokenised(metrics)
    for sentences in ([[5] * 200] * 8, ["dragons"] * 1024):
        with pytest.raises(OverloadedError):
            embedder.begin(sentences)
    assert tokenised(metrics) == read
    rows.append(embedder.begin([[5] * 200] * 4)[1])
    assert tokenised(metrics) == read + 1
    session.goes_on.set()
    assert [len(some.result(TIMEOUT_S)) for some in rows] == [1000, 4]


def test_a_deadline_that_the_work_would_pass_is_told_at_once(held: tuple[Embedder, HeldSession]) -> None:
    """A deadline is known to the queue: work that can't be done by then isn't begun, however short its text looks."""
    embedder, session = held
    session.goes_on.clear()
    _, first = embedder.begin([[5]])
    until(lambda: session.begun)
    time.sleep(0.1)  # so that the engine takes a tenth of a second a token, or longer
    session.goes_on.set()
    first.result(TIMEOUT_S)
    with pytest.raises(DeadlineError):
        embedder.begin(["word " * 200], deadline=time.monotonic() + 10)
    assert len(session.begun) == 1
