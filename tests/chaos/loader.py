"""Tries to serve the folders that standard input names, and prints a line of JSON about each.

It runs in a process of its own, so that a crash in a library shows as one.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from bothends.core.embedder import Embedder
from bothends.errors import BundleError
from bothends.model.bundle import Bundle
from bothends.settings import Settings

SETTINGS = Settings(device="cpu", workers=1, selftest_s=0)


def outcome(folder: Path) -> str:
    """Return `served`, or the error's text."""
    try:
        with Embedder.load(Bundle.open(folder), settings=SETTINGS) as embedder:
            assert np.isfinite(embedder.embed(["there will be dragons"]).rows).all()
    except BundleError as error:
        return str(error)
    return "served"


def main() -> None:
    """Answer each line until standard input ends."""
    for line in sys.stdin:
        began = time.monotonic()
        found = outcome(Path(line.rstrip("\n")))
        answer = {"outcome": found, "seconds": time.monotonic() - began}
        print(json.dumps(answer), flush=True)  # noqa: T201  for whoever asked


if __name__ == "__main__":
    main()
