"""What each picture in this folder shows, and the mark in it of what that was when it was made.

`python docs/images/pictures.py` names the pictures that are older than what they show, and how each is made anew.
Whoever makes one marks it, by `mark` or `python docs/images/pictures.py --mark NAME …`. A mark is a SHA-256 in the
PNG's text, so that it holds in any clone, whatever the files' times are.
"""

import argparse
import hashlib
import json
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

IMAGES = Path(__file__).parent
ROOT = IMAGES.parents[1]
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
    "engines.png": (
        f"{_RECORD}#-comparison",
        "python benchmarks/bench.py --docs --from benchmarks/performance.json",
    ),
}
"""Of each picture, patterns of the files that it shows, from the repository's root; last, what makes it. After # stands
the part that counts of JSON: a key, or all but that key."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"Shows"


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


def marked(file: Path) -> str | None:
    """Return the mark in a picture; None where it has none."""
    for kind, content in _chunks(file.read_bytes()):
        keyword, _, text = content.partition(b"\0")
        if (kind, keyword) == (b"tEXt", _KEYWORD):
            return text.decode("latin-1")
    return None


def mark(file: Path) -> None:
    """Write into a picture what it shows, in place of what stands there."""
    chunks = [
        (kind, content)
        for kind, content in _chunks(file.read_bytes())
        if not (kind == b"tEXt" and content.startswith(_KEYWORD + b"\0"))
    ]
    chunks.insert(1, (b"tEXt", _KEYWORD + b"\0" + digest(file.name).encode()))
    written = (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    file.write_bytes(_SIGNATURE + b"".join(written))


def stale() -> dict[str, str]:
    """Return the pictures that are older than what they show, each with what makes it."""
    return {name: SHOWN[name][-1] for name in SHOWN if marked(IMAGES / name) != digest(name)}


def _part(file: Path, part: str) -> bytes:
    """Return the part of a file that counts, whatever else is in it."""
    data = json.loads(file.read_bytes())
    key = part.removeprefix("-")
    wanted = {name: value for name, value in data.items() if name != key} if part.startswith("-") else data[key]
    return json.dumps(wanted, sort_keys=True).encode()


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield a PNG's chunks, their kinds and contents, as the specification lays them out (ISO/IEC 15948)."""
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def main() -> None:
    """Name stale pictures, or mark those that were made just now."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mark", nargs="+", metavar="NAME", choices=sorted(SHOWN), default=())
    for name in parser.parse_args().mark:
        mark(IMAGES / name)
    found = stale()
    for name, how in found.items():
        sys.stdout.write(f"{name} is older than what it shows; made anew by: {how}\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
