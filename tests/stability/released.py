"""What releases had, as this folder keeps it: names.json of the last one, and the contract and bundles of each."""

import json
import subprocess
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.tools import program

from .interface import Listing

HERE = Path(__file__).parent / "released"
NAMES = HERE / "names.json"
"""The listing of the last release."""
BUNDLES = HERE / "bundles"
PROTO = ROOT / "proto"


def names() -> Listing:
    """Read the listing of the last release."""
    found: Listing = json.loads(NAMES.read_text(encoding="utf-8"))
    return found


def contracts() -> list[Path]:
    """Images of the contracts as releases had them, the last release's last."""
    return sorted(HERE.glob("*.binpb"), key=lambda path: [int(part) for part in path.stem.split(".")])


def buf(*words: str | Path, folder: Path = PROTO) -> subprocess.CompletedProcess[str]:
    """Run buf in a folder of contracts."""
    command = [program("buf"), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
