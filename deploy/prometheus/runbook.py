"""Renders docs/runbook.md as the page to which alerts' links lead, for Prometheus to serve: `make runbook`."""

import re
import sys
from pathlib import Path

from markdown_it import MarkdownIt

_FOLDER = Path(__file__).parent
SOURCE = _FOLDER.parents[1] / "docs" / "runbook.md"
_HEAD = """\
<!doctype html>
<!-- Written by `make runbook` from docs/runbook.md: change that. -->
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>bothends: runbook</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem; padding: 0 1rem; }
h2:target { text-decoration: underline; }
</style>
"""


def main(target: Path) -> None:
    """Write the page: each section has its alert's name as its anchor, and files of the repository are named."""
    text = re.sub(r"\[([^\]]+)\]\((?!#)[^)]*\)", r"\1", SOURCE.read_text(encoding="utf-8"))
    page = MarkdownIt().render(text)
    anchored = re.sub(r"<h2>(\w+)</h2>", lambda found: f'<h2 id="{found[1].lower()}">{found[1]}</h2>', page)
    if "{{" in anchored:
        raise SystemExit("Prometheus would take what stands in {{ }} for a template")
    target.write_text(f"{_HEAD}{anchored}</html>\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _FOLDER / "consoles" / "runbook.html")
