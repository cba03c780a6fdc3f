"""The page where something is wrong: no key, no share, no server; what can't be embedded, and what wants to run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bothends.model.bundle import Bundle
from bothends.server.keys import new
from tests.support.doors import put, serving
from tests.support.serving import finish, start

pytest.importorskip("playwright", reason="playwright is missing (pip install playwright)")
from playwright.sync_api import expect

from tests.support.browsing import Visit

pytestmark = pytest.mark.slow  # opens the page in a browser


def test_with_keys_on_it_asks_for_one(visit: Callable[..., Visit], english: Bundle, tmp_path: Path) -> None:
    """Kept for this tab, sent in a header, never in an address; who has none or a wrong one is told so."""
    key, entry = new("visitor")
    put(tmp_path / "keys.toml", entry.encode())
    with serving(english, api_keys=tmp_path / "keys.toml", metrics="keys") as guarded:
        opened = visit(f"http://127.0.0.1:{guarded.http_port}/")
        opened.sees("#problem", "This server asks for an API key. Enter one above.")
        opened.page.get_by_label("API key").fill("not a key")
        opened.page.keyboard.press("Enter")
        opened.sees("#problem", "The server doesn't know this API key.")
        opened.page.get_by_label("API key").fill(key)
        opened.page.get_by_role("button", name="Use it").click()
        opened.sees("#ends svg")
        opened.sees("#state", "serving")
        expect(opened.page.locator("#problem")).to_be_hidden()
        expect(opened.page.locator("#key-form")).to_be_hidden()
        opened.page.reload()
        opened.sees("#ends svg")
        assert not [request.url for request in opened.requests if key in request.url]
        posted = [request for request in opened.requests if request.url.endswith("/explain")][-1]
        assert posted.headers["authorization"] == f"Bearer {key}"
        assert opened.page.evaluate("[localStorage.length, document.cookie, sessionStorage.length]") == [0, "", 1]


def test_a_key_that_has_had_its_share_is_told_when_to_come_again(
    visit: Callable[..., Visit], english: Bundle, tmp_path: Path
) -> None:
    key, entry = new("slow")
    put(tmp_path / "keys.toml", f"{entry}sentences_per_s = 1\n".encode())
    with serving(english, api_keys=tmp_path / "keys.toml") as guarded:
        opened = visit(f"http://127.0.0.1:{guarded.http_port}/")
        opened.page.get_by_label("API key").fill(key)
        opened.page.keyboard.press("Enter")
        problem = opened.sees("#problem", "this key has had its share. Try again in ")
        assert 1 <= int(problem.inner_text().split()[-2]) <= 60


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" \n ", "There is no sentence. Type one a line."),
        ("fine\n\u200b", "Input[1] holds nothing that the model's tokenizer can read."),
    ],
)
def test_what_cant_be_done_is_said(visit: Callable[..., Visit], text: str, said: str) -> None:
    """One line says it, and goes once something can be done."""
    opened = visit()
    opened.sees("#ends svg")
    opened.page.fill("#sentences", text)
    opened.page.get_by_role("button", name="Embed").click()
    opened.sees("#problem", said)
    opened.tries("there will be dragons")
    expect(opened.page.locator("#problem")).to_be_hidden()


def test_a_model_that_cant_be_explained_is_compared(
    visit: Callable[..., Visit], make_bundle: Callable[..., Bundle]
) -> None:
    """The picture would be another model's; the heat map is there, and the reason."""
    with serving(make_bundle(layers=2)) as deep:
        opened = visit(f"http://127.0.0.1:{deep.http_port}/")
        opened.sees("#ends-problem", "only a model of one layer can be explained")
        expect(opened.page.locator("#heat tbody tr")).to_have_count(6)
        opened.sees("#state", "serving")


@pytest.mark.slow
def test_it_goes_on_when_the_server_comes_back(visit: Callable[..., Visit]) -> None:
    """A server that is killed is missed, what was asked for meanwhile is done once there is one again."""
    running = start()
    try:
        opened = visit(f"{running.http}/")
        opened.sees("#ends svg")
        finish(running)
        opened.sees("#problem", "The server can't be reached. This page asks again every second")
        opened.sees("#state", "not serving")
        opened.page.fill("#sentences", "dragons were there\nall the time")
        opened.page.get_by_role("button", name="Embed").click()
        opened.sees("#problem", "The server can't be reached.")
        running = start("--http-port", running.http.rpartition(":")[2])
        opened.sees("#chosen", "dragons were there")
        expect(opened.page.locator("#problem")).to_be_hidden()
        expect(opened.page.locator("#state b")).to_have_text("serving")
    finally:
        finish(running)
