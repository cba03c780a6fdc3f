"""Tells which version this is, and whether a tag, the changelog and the chart say the same.

version.py          prints it
version.py TAG      fails where the tag, or anything that names the version, names another
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "native" / "pyproject.toml"
"""The one place where the version of bothends and of bothends-native stands; bothends-english has its model's own."""
NAMED = {
    "CHANGELOG.md": r"(?s)\A.*?^## \[(\d[^]]*)\]",  # the newest
    "README.md": r"^bothends (\d\S*)$",
    "deploy/helm/bothends/Chart.yaml": r'^(?:appV|v)ersion: "?([^\s"]+)',
    "docs/operate/kubernetes.md": r"bothends:(\d+\.[\w.]*\w)",
    "docs/deploy.md": r"bothends:(\d+\.[\w.]*\w)",
    "docs/settings.md": r"--version-string=(\S+)",
}
"""Files that name the version, each with the pattern by which it stands there, once or more."""


def version() -> str:
    """Read the version. Raises SystemExit where there is none."""
    found = re.search(r'^version = "([^"]+)"', SOURCE.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{SOURCE} has no version")
    return found[1]


def disagreements(tag: str, root: Path = ROOT) -> list[str]:
    """Say what names another version than the one place does: the tag, or a file under `root`."""
    here = version()
    found = [] if tag == f"v{here}" else [f"the tag is {tag}, and the version {here}"]
    for name, pattern in NAMED.items():
        named = re.findall(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE) or ["no version"]
        found += [f"{name} names {each}, and the version is {here}" for each in sorted({*named} - {here})]
    return found


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(version())  # noqa: T201  what it is called for
    else:
        sys.exit("\n".join(disagreements(sys.argv[1])) or None)
