"""What MkDocs is told beyond mkdocs.yml: pages from files outside docs/, and links that lead where GitHub's lead.

Each page is a Markdown file of the repository, whose links are made for reading it there. A link to another page leads
to that page. A link to any other file leads to that file at REPOSITORY, an address such as
https://github.com/OWNER/bothends, at the commit that is built. Without such an address the link's words stay, and the
file's name is shown when the pointer rests on them.
"""

import logging
import posixpath
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PLACES = {
    "index.md": "README.md",
    "documents.md": "docs/README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "english.md": "service/bothends/models/english/README.md",
    "native/index.md": "native/README.md",
    "native/performance.md": "native/performance.md",
    "benchmarks/report.md": "benchmarks/report.md",
    "benchmarks/profile.md": "benchmarks/profile.md",
    "assets/site.css": "docs/site/site.css",
    "assets/iframe-worker.js": "docs/site/iframe-worker.js",
    "images/icon.svg": "service/bothends/server/fronts/page/assets/icon.svg",
}
"""Files of the site that stand elsewhere in the repository, or in docs/ by another name; beside docs/site/reference."""
_CODE = r"(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
_LINK = r"(?:\[(?P<file>[\w/.-]+\.md)\]|\])\((?P<target>[^)\s#]*)(?P<anchor>#[^)\s]*)?\)"
_CODE_OR_LINK = re.compile(f"{_CODE}|{_LINK}", re.DOTALL)
_FENCED = re.compile(r"^( *)(```+)(\w*)[^\n]*\n(.*?^ *\2`* *)$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r'<a href="repository:([^"#]*)(#[^"]*)?">(.*?)</a>', re.DOTALL)
_log = logging.getLogger("mkdocs.hooks.site")


def places() -> dict[str, str]:
    """Return each file that is added to docs/, by its name in the site: where it stands in the repository."""
    reference = sorted((ROOT / "docs" / "site" / "reference").glob("*.md"))
    return PLACES | {f"reference/{path.name}": path.relative_to(ROOT).as_posix() for path in reference}


def place_of(page: str) -> str:
    """Return where a file of the site stands in the repository."""
    return places().get(page, f"docs/{page}")


@cache
def heading(place: str) -> str:
    """Return the first heading of a page of the repository."""
    found = re.search(r"^# (.+)$", (ROOT / place).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else place


def linked(markdown: str, page: str, files: set[str]) -> str:
    """Return a page's text with links to what is in the site, or by "repository:" to what is beside it there.

    Where a link's words are a page's file, they become the page's heading.
    """
    added = places()
    names = {added.get(name, f"docs/{name}"): name for name in files}

    def led(found: re.Match[str]) -> str:
        target, anchor, words = found["target"], found["anchor"] or "", f"[{found['file']}]" if found["file"] else "]"
        if not target or re.match(r"[a-z]+:", target):  # code, a heading of this page, or an address
            return found[0]
        index = posixpath.normpath(posixpath.join(posixpath.dirname(place_of(page)), target))
        name = names.get(index) or names.get(f"{index}/README.md")
        if name is not None:
            words = f"[{heading(index)}]" if found["file"] else words
            return f"{words}({posixpath.relpath(name, posixpath.dirname(page) or '.')}{anchor})"
        if not (ROOT / index).exists():
            _log.warning("%s: nothing is at %s", place_of(page), target)
        return f"{words}(repository:{index}{anchor})"

    texts, ended = [], 0
    for fenced in _FENCED.finditer(markdown):
        texts.append(_CODE_OR_LINK.sub(led, markdown[ended : fenced.start()]))
        indent, ticks, language, code = fenced.groups()
        # MkDocs knows no words behind the language; ours are for tests.
        texts.append(f"{indent}{ticks}{language}\n{code}")
        ended = fenced.end()
    return "".join([*texts, _CODE_OR_LINK.sub(led, markdown[ended:])])


def expanded(nav: Any) -> Any:
    """Return a navigation in which each NAME/* is the numbered pages of that folder of docs/."""
    if isinstance(nav, dict):
        return {name: expanded(below) for name, below in nav.items()}
    if not isinstance(nav, list):
        return nav
    pages: list[Any] = []
    for entry in nav:
        if isinstance(entry, str) and entry.endswith("/*"):
            found = (ROOT / "docs" / entry[:-2]).glob("[0-9]*.md")
            pages += sorted(path.relative_to(ROOT / "docs").as_posix() for path in found)
        else:
            pages.append(expanded(entry))
    return pages


@cache
def commit() -> str:
    """Return the commit that is built; main where git doesn't know."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    return asked.stdout.strip() or "main"


def shown(html: str, repository: str) -> str:
    """Return a page's HTML with its "repository:" links made for readers."""

    def led(found: re.Match[str]) -> str:
        index, anchor, words = found[1], found[2] or "", found[3]
        if not repository:
            return f'<span class="file" title="{index} in the repository">{words}</span>'
        kind = "tree" if (ROOT / index).is_dir() else "blob"
        return f'<a href="{repository.rstrip("/")}/{kind}/{commit()}/{index}{anchor}">{words}</a>'

    return _FILE.sub(led, html)


def on_config(config: "MkDocsConfig") -> "MkDocsConfig":
    """Name the decisions in the navigation, and offer other versions only where they are beside this one."""
    config.nav = expanded(config.nav)
    if not config.site_url:
        del config.extra["version"]
    return config


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pages that stand outside docs/. Its README is one page among others: the repository's is the first."""
    from mkdocs.structure.files import File

    files.remove(files.src_uris["README.md"])
    for name, index in places().items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / index)))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Lead a page's links, and "edit" to the file that it stands in."""
    index = place_of(page.file.src_uri)
    page.edit_url = f"{config.repo_url.rstrip('/')}/edit/main/{index}" if config.repo_url else None
    return linked(markdown, page.file.src_uri, set(files.src_uris))


def on_page_content(html: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:  # noqa: ARG001  named by MkDocs
    """Lead what is left into the repository."""
    return shown(html, config.repo_url or "")
