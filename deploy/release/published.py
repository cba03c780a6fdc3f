"""Prints pyproject.toml as distributions for an index have it, which ask for what its lines mark as published.

Usage: published.py PYPROJECT. Fails unless the server's extra asks for the model, and that of CPUs for native parts.
"""

import sys
import tomllib
from pathlib import Path

from version import version

MARK = "# published: "
"""Beginning of a line that asks for what is only had from an index."""
ASKED = {"server": "bothends-english", "cpu": "bothends-native"}
"""Distribution that each extra must ask for then."""


def published(text: str) -> str:
    """Return a pyproject.toml with what is published asked for. Raises SystemExit where an extra doesn't ask for it."""
    changed = text.replace(MARK, "").replace("@VERSION@", version())
    extras = tomllib.loads(changed)["project"]["optional-dependencies"]
    for extra, name in ASKED.items():
        if not any(requirement.startswith(name) for requirement in extras[extra]):
            raise SystemExit(f"[{extra}] doesn't ask for {name}")
    return changed


if __name__ == "__main__":
    sys.stdout.write(published(Path(sys.argv[1]).read_text(encoding="utf-8")))
