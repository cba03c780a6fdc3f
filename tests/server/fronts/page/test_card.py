"""The model card's Markdown in the page: time that follows its length, and links that lead to the web only."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

ASSETS = ROOT / "service" / "bothends" / "server" / "fronts" / "page" / "assets"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is missing")
READ = """
import { readFileSync } from "node:fs";
const made = (tag, attributes, ...children) => ({ tag, attributes, children });
globalThis.card = readFileSync(0, "utf8");
const { whole } = await import(process.argv[1]);
console.log(JSON.stringify(whole(globalThis.card)));
"""
DOM = "export const html = (tag, attributes, ...children) => ({ tag, attributes, children }), plural = null;"
MAX_S = 20
"""Seconds for a node to start and read 100 KB on a slow machine."""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """The page's own module, over elements that are data."""
    for file in ASSETS.glob("*.js"):
        shutil.copy(file, tmp_path)
    (tmp_path / "dom.js").write_text(DOM)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path / "card.js"


def read(module: Path, card: str) -> Any:
    command = [str(NODE), "--input-type=module", "-e", READ, str(module)]
    ended = subprocess.run(command, input=card, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(ended.stdout)


@pytest.mark.parametrize(
    "piece",
    ["[", "`", "](", "[a](https://", "[a](https://b", "[a](", "|", "| |\n", "# ", "\n", "\n ", "- ", "`a\n", "[]("],
)
def test_time_follows_length(module: Path, piece: str) -> None:
    began = time.monotonic()
    read(module, piece * (100_000 // len(piece)))
    assert time.monotonic() - began < MAX_S


def test_links_lead_to_the_web_only(module: Path) -> None:
    """Others stay text."""
    text = ["[x](javascript:alert(1))", "[x](javascript:alert)", "[x](data:text/html,a)", "[x](https:javascript)"]
    for each in [*text, "[x](/explain)", "[[x](javascript:https://a)](b)"]:
        assert "href" not in json.dumps(read(module, each)), each
    (paragraph,) = read(module, "See [the `card`](https://example.org/a?b=c#d), `code` and\nmore.")
    kinds = [part if isinstance(part, str) else part["tag"] for part in paragraph["children"]]
    assert kinds == ["See ", "a", ", ", "code", " and more."]
    assert paragraph["children"][1]["attributes"]["href"] == "https://example.org/a?b=c#d"
