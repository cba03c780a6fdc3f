"""Things that are taken away from the page: code that runs, a vector, and a link that keeps the sentences."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bothends import Client
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.server.server import Server
from tests.support.doors import put, serving

pytest.importorskip("playwright", reason="playwright is missing (pip install playwright)")
from playwright.sync_api import expect

from tests.support.browsing import Visit

pytestmark = pytest.mark.slow  # opens the page in a browser

SENTENCES = ['It\'s "odd" \\ $HOME `date` %s', "über 龍 👩‍👩‍👧‍👦 & <b>", "There will be dragons.\ttabs"]
CLIENTS = Path(sys.prefix) / "clients" / "bin" / "python"


def code(opened: Visit, way: str) -> str:
    """Return the code that the page shows for `way`."""
    opened.page.get_by_role("button", name=way, exact=True).click()
    return str(opened.page.locator("#code pre").inner_text())


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a command; returns what it prints."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("sentences", [SENTENCES, ["word " * 300 + "end", "no dragons"]], ids=["odd", "long"])
def test_the_code_embeds_these_very_sentences(
    visit: Callable[..., Visit], server: Server, client: Client, sentences: list[str]
) -> None:
    """Each way runs as it stands, whatever the sentences hold, and gives the vectors that the page has."""
    opened = visit()
    opened.page.fill("#sentences", "\n".join(sentences))
    opened.page.get_by_role("button", name="Embed").click()
    opened.sees("#code pre", json.dumps(sentences[1], ensure_ascii=False)[1:-1])
    expected = client.embed(sentences, normalize=True).rows
    assert f"http://127.0.0.1:{server.http_port}/v1/embeddings" in code(opened, "curl")
    answer = json.loads(run("bash", "-c", code(opened, "curl")))
    np.testing.assert_allclose([one["embedding"] for one in answer["data"]], expected, atol=1e-6)
    assert f'Client("127.0.0.1:{server.port}")' in code(opened, "Python")
    printed = run(sys.executable, "-W", "ignore", "-c", f"{code(opened, 'Python')}\nprint('!', vectors.tolist())")
    np.testing.assert_allclose(json.loads(printed.partition("!")[2]), expected, atol=1e-6)
    if CLIENTS.exists():
        printed = run(CLIENTS, "-I", "-c", f"{code(opened, 'openai')}\nprint(vectors)")
        np.testing.assert_allclose(json.loads(printed), expected, atol=1e-6)


def test_no_code_holds_the_key(visit: Callable[..., Visit], english: Bundle, tmp_path: Path) -> None:
    """The key comes from the environment, in each way."""
    key, entry = new("visitor")
    put(tmp_path / "keys.toml", entry.encode())
    with serving(english, api_keys=tmp_path / "keys.toml") as guarded:
        opened = visit(f"http://127.0.0.1:{guarded.http_port}/")
        opened.page.get_by_label("API key").fill(key)
        opened.page.keyboard.press("Enter")
        opened.sees("#code pre")
        ways = [code(opened, way) for way in ("curl", "Python", "openai")]
        assert [way.count("BOTHENDS_API_KEY") for way in ways] == [1, 1, 1]
        assert not [way for way in ways if key in way]
        answer = json.loads(run("bash", "-c", ways[0], env={"PATH": "/usr/bin:/bin", "BOTHENDS_API_KEY": key}))
        assert len(answer["data"]) == 6


def test_a_vector_is_copied(visit: Callable[..., Visit], client: Client) -> None:
    """The chosen sentence's, as JSON; also where the browser gives the page no clipboard."""
    opened = visit()
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.tries(*SENTENCES)
    for index in (0, 2):
        opened.page.locator("#heat button").nth(index).click()
        opened.page.get_by_role("button", name=f"Copy vector {index + 1}").click()
        opened.sees("#links", f"Copied: 512 numbers of sentence {index + 1}, of unit length.")
        copied = json.loads(opened.page.evaluate("navigator.clipboard.readText()"))
        np.testing.assert_allclose(copied, client.encode(SENTENCES[index], normalize=True), atol=1e-6)
    opened.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')); }")
    opened.page.locator("#heat button").nth(1).click()
    opened.page.get_by_role("button", name="Copy vector 2").click()
    opened.sees("#links", "Copied: 512 numbers of sentence 2")
    copied = json.loads(opened.page.evaluate("navigator.clipboard.readText()"))
    np.testing.assert_allclose(copied, client.encode(SENTENCES[1], normalize=True), atol=1e-6)


def test_a_link_keeps_the_sentences(visit: Callable[..., Visit]) -> None:
    """Sentences stand in the address after #, which is sent to no server, and another visit finds them there."""
    opened = visit()
    opened.sees("#ends svg")
    assert "#" not in opened.page.url  # examples need no keeping
    opened.tries(*SENTENCES)
    address, _, kept = opened.page.url.partition("#")
    assert address == opened.address
    assert kept
    again = visit(opened.page.url)
    again.sees("#chosen", 'It\'s "odd"')
    assert again.page.input_value("#sentences") == "\n".join(SENTENCES)
    sent = [request.url.partition("#")[0] for request in [*opened.requests, *again.requests]]
    assert not [url for url in sent if "?" in url or "dragons" in url]
    again.page.evaluate("location.hash = '#s=other+dragons'")
    again.sees("#chosen", "other dragons")


def test_a_link_that_would_be_too_long_isnt_made(visit: Callable[..., Visit]) -> None:
    """The address holds no sentences then, neither these nor those before."""
    opened = visit()
    opened.tries(*SENTENCES)
    assert "#" in opened.page.url
    opened.page.fill("#sentences", "dragons " * 1200)
    opened.page.get_by_role("button", name="Embed").click()
    opened.sees("#took", "too long for a link")
    assert "#" not in opened.page.url


def test_skipping_to_the_box_loses_no_sentences(visit: Callable[..., Visit]) -> None:
    """The link for the keyboard moves the focus, and leaves the address as it is."""
    opened = visit()
    opened.tries(*SENTENCES)
    before = opened.page.url
    opened.page.locator(".skip").focus()
    opened.page.keyboard.press("Enter")
    expect(opened.page.locator("#sentences")).to_be_focused()
    assert opened.page.url == before
