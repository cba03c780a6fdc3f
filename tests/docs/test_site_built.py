"""The site as it is built: no link leads nowhere, nothing comes from elsewhere, a phone shows all of it, search finds.

Needs what `make site` installs, and a browser; without the one all skip, without the other what looks at pages.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.until import TIMEOUT_S

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
REPOSITORY = "https://example.org/own/bothends"
PHONE: Any = {"width": 390, "height": 844}
FETCHED = r'<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)="(?:https?:)?//[^"]*"'


def ran(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; both of its outputs are one."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make site` makes it where the repository has an address."""
    pytest.importorskip("mkdocs", reason="there is no MkDocs here: make .venv/.site")
    folder = tmp_path_factory.mktemp("site")
    ended = ran(BIN / "mkdocs", "build", "--site-dir", folder, REPOSITORY=REPOSITORY, SITE_URL="")
    assert ended.returncode == 0, ended.stdout
    return folder


@pytest.fixture(scope="module")
def tab(site: Path) -> Iterator[Any]:
    """A tab of a headless Chromium, as wide as a phone, that says which addresses it asked."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("chromium is missing (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    from tests.support.browsing import QUIET, TIMEOUT_MS

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        page = browser.new_page(viewport=PHONE)
        page.set_default_timeout(TIMEOUT_MS)
        yield page
        browser.close()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """Pages have their scripts, styles and pictures beside them."""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 60
    assert {page.name: found for page in pages if (found := re.findall(FETCHED, page.read_text("utf-8")))} == {}


def test_the_reference_says_what_docstrings_say(site: Path) -> None:
    page = (site / "reference" / "encoder.html").read_text(encoding="utf-8")
    assert 'id="bothends.Encoder.load"' in page
    assert "Load and self-test a model" in page


@pytest.mark.parametrize("name", ["index", "reliability", "settings", "benchmarks/report", "reference/clients"])
def test_a_phone_shows_all_of_a_page(site: Path, tab: Any, name: str) -> None:
    """What is wider than it scrolls by itself; the page doesn't. It is read from the folder."""
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"{site.as_uri()}/{name}.html")
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert [address for address in asked if not address.startswith(("file:", "data:"))] == []


def test_search_finds_from_a_folder_too(site: Path, tab: Any) -> None:
    """Where a browser starts no worker."""
    tab.goto(f"{site.as_uri()}/index.html?q=watchdog")
    found = tab.locator(".md-search-result__item a").first
    found.wait_for(state="attached")
    assert found.get_attribute("href").startswith(site.as_uri())


def test_links_lead_to_the_commit_at_the_repository(site: Path) -> None:
    """And pages may be edited there."""
    assert f'href="{REPOSITORY}/edit/main/README.md"' in (site / "index.html").read_text(encoding="utf-8")
    commit = ran("git", "rev-parse", "HEAD").stdout.strip()
    wanted = f'href="{REPOSITORY}/blob/{commit}/proto/bothends/v1/embedding.proto"'
    assert wanted in (site / "api.html").read_text(encoding="utf-8")
