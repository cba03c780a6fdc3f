"""A live engine that goes wrong, and comes right again, is seen."""

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import generate_latest

from bothends.bundle import Bundle
from bothends.embedder import Embedder
from bothends.engine import TokenIds
from bothends.metrics import Metrics
from bothends.session import Session
from bothends.settings import Settings
from bothends.tokenizer import Tokenizer

from .engines import PATIENCE_S


class Drifting:
    """The bundle's own engine, off by so much in every number."""

    def __init__(self, bundle: Bundle) -> None:
        self._session = Session(bundle)
        self.dimension = bundle.config.dimension
        self.off = 0.0

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        return self._session.run(sentences) + np.float32(self.off)


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end


def shows(metrics: Metrics, line: str) -> Callable[[], bool]:
    return lambda: f"\n{line}" in generate_latest(metrics.registry).decode()


def test_an_engine_that_drifts_is_seen_and_so_is_its_coming_back(
    toy_bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    """Metric and log say so; NaN is seen too."""
    caplog.set_level(logging.INFO)
    tokenizer = Tokenizer(toy_bundle.tokenizer, max_tokens=toy_bundle.config.max_tokens, source=toy_bundle.path)
    engine, metrics, settings = Drifting(toy_bundle), Metrics(), Settings(selftest_s=0.01)
    with Embedder(toy_bundle, tokenizer, engine, device="cpu", settings=settings, metrics=metrics):
        until(shows(metrics, "bothends_selftest_success 1.0"))
        engine.off = 0.5
        until(shows(metrics, "bothends_selftest_success 0.0"))
        until(shows(metrics, "bothends_selftest_difference 0.5"))
        engine.off = float("nan")
        until(shows(metrics, "bothends_selftest_difference NaN"))
        engine.off = 0.0
        until(shows(metrics, "bothends_selftest_success 1.0"))
    assert "the self-test failed" in caplog.text
    until(lambda: "the self-test passes again" in caplog.text)


def test_it_may_be_asked_at_start_only(toy_bundle: Bundle) -> None:
    metrics = Metrics()
    with Embedder.load(toy_bundle, settings=Settings(selftest_s=0), metrics=metrics):
        assert shows(metrics, "bothends_selftest_success 1.0")()
