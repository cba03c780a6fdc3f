"""Engines that stand still, and a clock of slow callers, for tests of the server's room."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from bothends import Encoder
from bothends.model.bundle import Bundle
from bothends.server.model_service import ModelService
from bothends.server.server import Server
from tests.support.clock import Clock
from tests.support.fronts import http_of
from tests.support.gate import Gate

from .models import NAMES, SENTENCES, TRANSPORTS, Truth, serving_all


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Keeps what Python has read from engines while it is closed. It is open at first."""
    made = Gate(monkeypatch)
    yield made
    made.set()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which callers are slow: no caller is, until a test moves it."""
    clock = Clock()
    monkeypatch.setattr("bothends.server.pending_bodies.monotonic", clock)
    return clock


@pytest.fixture
def drained(monkeypatch: pytest.MonkeyPatch) -> list[ModelService]:
    """Services of stopping servers whose calls have answers. Bytes that aren't waited for are lost at once."""
    found, drain = list[ModelService](), ModelService.drain

    def draining(service: ModelService, timeout_s: float) -> bool:
        is_answered = drain(service, timeout_s)
        found.append(service)
        return is_answered

    monkeypatch.setattr(ModelService, "drain", draining)
    monkeypatch.setattr("bothends.server.server.LAST_BYTES_S", 0.0)
    return found


@pytest.fixture(scope="module")  # no longer: Playwright's event loop runs in the tests' own thread
def browser() -> Iterator[Any]:
    """A headless Chromium, or a skip."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("chromium is missing (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    from tests.support.browsing import QUIET

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Opens the page in a tab of its own: of the server that tests share, or at another address."""
    from tests.support.browsing import Visit

    made: list[Visit] = []

    def visit(address: str = f"http://127.0.0.1:{server.http_port}/", **options: Any) -> Visit:
        made.append(Visit(browser, address, **options))
        return made[-1]

    yield visit
    for one in made:
        one.context.close()


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    """A connection to the HTTP port of the server of a module, or of the one that tests share."""
    with http_of(server) as connected:
        yield connected


@pytest.fixture(scope="session")
def old(make_bundle: Callable[..., Bundle]) -> Bundle:
    """A small encoder in InferSent's form: the largest of each number over the states of both directions."""
    return make_bundle(pooling="max", hidden_size=24)


@pytest.fixture(scope="session")
def truth(english: Bundle, old: Bundle) -> Truth:
    """Rows by each model alone, in this process."""
    found = {}
    for name, bundle in zip(NAMES, (english, old), strict=True):
        with Encoder.load(bundle.path, device="cpu", workers=1) as encoder:
            found[name] = encoder.encode(SENTENCES)
    return found


@pytest.fixture(scope="module", params=TRANSPORTS)
def both(request: pytest.FixtureRequest, english: Bundle, old: Bundle) -> Iterator[Server]:
    """A server of both models, by each transport."""
    with serving_all(f"english={english.path}", f"old={old.path}", transport=request.param) as server:
        yield server
