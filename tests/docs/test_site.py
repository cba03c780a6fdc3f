"""The site's settings and hooks, without MkDocs: every page has its place, and links lead as in the repository."""

import re
from types import ModuleType
from typing import Any

import pytest
import yaml

import bothends
import bothends.search
from tests.support.paths import ROOT
from tests.support.scripts import module

SITE = ROOT / "docs" / "site"


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # shipped without types
    """Reads mkdocs.yml, where MkDocs' own tags are what they are made of."""


Loader.add_multi_constructor(
    "!", lambda loader, _, node: loader.construct_sequence(node) if node.id == "sequence" else None
)
Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
CONFIG: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)  # noqa: S506  a safe one


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """docs/site/hooks.py, which is of no package."""
    return module(SITE / "hooks.py")


def pages_of(nav: Any) -> list[str]:
    """Pages that a navigation names, in order."""
    if isinstance(nav, str):
        return [nav]
    return [page for below in (nav.values() if isinstance(nav, dict) else nav) for page in pages_of(below)]


def test_the_navigation_has_every_page_once(hooks: ModuleType) -> None:
    """Pages of docs/, but that its README has another name there, and those that the hooks add."""
    own = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    added = {page for page in hooks.places() if page.endswith(".md")}
    wanted = added | {page for page in own - {"README.md"} if not page.startswith("site/")}
    assert sorted(pages_of(hooks.expanded(CONFIG["nav"]))) == sorted(wanted)


def test_what_stands_elsewhere_is_there(hooks: ModuleType) -> None:
    assert [index for index in hooks.places().values() if not (ROOT / index).is_file()] == []


def test_the_reference_has_every_public_name_once() -> None:
    """What `bothends` and `bothends.search` export; errors by their module."""
    named = [
        name
        for page in (SITE / "reference").glob("*.md")
        for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    exported = {f"bothends.{name}" for name in (*bothends.__all__, "Encoder") if not name.endswith("Error")}
    found = {
        re.sub(r"\.hybrid\.hybrid$", ".hybrid", name) for name in named
    }  # the module by this name hides the function
    assert exported | {f"bothends.search.{name}" for name in bothends.search.__all__} | {"bothends.errors"} <= found
    assert len(found) == len(named)


def test_nothing_is_fetched_from_elsewhere_and_a_warning_is_an_error() -> None:
    """No fonts, no analytics, no repository's stars; search from a folder is our own."""
    assert CONFIG["theme"]["font"] is False
    assert CONFIG["strict"] is True
    assert all(level == "warn" for kind in CONFIG["validation"].values() for level in kind.values())
    assert "analytics" not in CONFIG["extra"]
    assert CONFIG["extra"]["polyfills"] == ["assets/iframe-worker.js"]
    assert "data-md-component" not in (SITE / "overrides/partials/source.html").read_text(encoding="utf-8")


def test_links_into_the_repository_need_its_address(hooks: ModuleType) -> None:
    """To this commit there, and to a folder as one; without an address the words stay, and say which file they mean."""
    html = '<a href="repository:tests/interop">a</a> <a href="repository:Makefile#x"><code>b</code></a>'
    at = f"https://example.org/own/bothends/{{}}/{hooks.commit()}"
    assert hooks.shown(html, "https://example.org/own/bothends/") == (
        f'<a href="{at.format("tree")}/tests/interop">a</a> <a href="{at.format("blob")}/Makefile#x"><code>b</code></a>'
    )
    assert hooks.shown(html, "") == (
        '<span class="file" title="tests/interop in the repository">a</span> '
        '<span class="file" title="Makefile in the repository"><code>b</code></span>'
    )
