"""Prints the draft of a release's notes: the section of CHANGELOG.md about its version, as it reads by itself.

notes.py TAG [REPOSITORY]     links to files lead to that tag at REPOSITORY (https://…), and without one are left out
"""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def notes(changelog: str, tag: str, repository: str) -> str:
    """Return the section about a tag's version. Raises SystemExit where there is none, or where it is empty."""
    version = re.escape(tag.removeprefix("v"))
    found = re.search(rf"^## \[{version}\][^\n]*\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise SystemExit(f"{CHANGELOG.name} says nothing of {tag}")
    there = rf"[\1]({repository}/blob/{tag}/\2)" if repository else r"\1"
    return re.sub(r"\[([^]]*)\]\((?!https?:|#)([^)\s]+)\)", there, found[1].strip()) + "\n"


if __name__ == "__main__":
    tag, repository = [*sys.argv[1:], ""][:2]
    sys.stdout.write(notes(CHANGELOG.read_text(encoding="utf-8"), tag, repository))
