"""What each picture in this folder shows, and a mark of what that was when it was made.

`python docs/images/pictures.py` names the pictures that are older than what they show, and how each is made anew.
Whoever makes one marks it, by `mark` or `python docs/images/pictures.py --mark NAME …`. A mark is a SHA-256 in
marks.json, so that it holds in any clone, whatever the files' times are.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

IMAGES = Path(__file__).parent
ROOT = IMAGES.parents[1]
_MARKS = IMAGES / "marks.json"
_MODEL = "service/bothends/models/english/config.json#-sha256"
_RECORD = "benchmarks/performance.json"
_GRAFANA = "a screenshot of Grafana in kiosk mode, docker compose's or another's, while a server is called"
_PAGE = ("service/bothends/server/fronts/page/assets/*", _MODEL, "python docs/images/page.py")
SHOWN: dict[str, tuple[str, ...]] = {
    "page.png": _PAGE,
    "page-dark.png": _PAGE,
    "page-phone.png": _PAGE,
    "dashboard-overview.png": ("deploy/grafana/dashboards/overview.json", _MODEL, _GRAFANA),
    "dashboard-engine.png": ("deploy/grafana/dashboards/engine.json", _MODEL, _GRAFANA),
    "clusters.png": ("examples/data/notes.txt", "examples/cluster.py", _MODEL, "examples/cluster.py"),
    "quality-vs-speed.png": (
        "benchmarks/encoder.json",
        "benchmarks/quality.json",
        "python benchmarks/quality.py --again",
    ),
    "servers.png": (
        f"{_RECORD}#comparison",
        "python benchmarks/bench.py --bars --docs --from benchmarks/performance.json",
    ),
    "your-encoder.png": (
        "benchmarks/your_encoder.json",
        "python benchmarks/your_encoder.py --docs --from benchmarks/your_encoder.json",
    ),
    "engines.png": (
        f"{_RECORD}#-comparison",
        "python benchmarks/bench.py --docs --from benchmarks/performance.json",
    ),
}
"""Of each picture, patterns of the files that it shows, from the repository's root; last, what makes it. After # stands
the part that counts of JSON: a key, or all but that key."""


def digest(name: str) -> str:
    """SHA-256 of what the picture shows, as it stands now."""
    found = hashlib.sha256()
    for pattern in SHOWN[name][:-1]:
        path, _, part = pattern.partition("#")
        for file in sorted(ROOT.glob(path)):
            content = _part(file, part) if part else file.read_bytes()
            found.update(f"{file.relative_to(ROOT).as_posix()} {len(content)}\n".encode())
            found.update(content)
    return found.hexdigest()


def mark(*names: str) -> None:
    """Keep what pictures show now as what they are made of."""
    marks = _marks() | {name: digest(name) for name in names}
    _MARKS.write_text(json.dumps(marks, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def stale() -> dict[str, str]:
    """Return the pictures that are older than what they show, each with what makes it."""
    marks = _marks()
    return {name: SHOWN[name][-1] for name in SHOWN if marks.get(name) != digest(name)}


def _marks() -> dict[str, str]:
    found: dict[str, str] = json.loads(_MARKS.read_bytes())
    return found


def _part(file: Path, part: str) -> bytes:
    """Return the part of a file that counts, whatever else is in it."""
    data = json.loads(file.read_bytes())
    key = part.removeprefix("-")
    wanted = {name: value for name, value in data.items() if name != key} if part.startswith("-") else data[key]
    return json.dumps(wanted, sort_keys=True).encode()


def main() -> None:
    """Name stale pictures, or mark those that were made just now."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mark", nargs="+", metavar="NAME", choices=sorted(SHOWN), default=())
    mark(*parser.parse_args().mark)
    found = stale()
    for name, how in found.items():
        sys.stdout.write(f"{name} is older than what it shows; made anew by: {how}\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
