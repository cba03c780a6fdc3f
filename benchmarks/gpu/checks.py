"""Runs checks: prints a line that says ok or FAIL for each, and keeps the figures behind them."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bothends.model.bundle import Bundle, default_path

VOCABULARY = 30522
CLOSE = 1e-5
"""Difference from PyTorch's and from a CPU's rows that is held here; 1e-4 is what is promised."""


class Checks:
    """Checks of one run of the proof."""

    def __init__(self, *, standin: bool, seed: int = 0) -> None:
        """Begin. On a `standin` nothing is timed, less is run, and what only a card can tell is not asked."""
        self.standin = standin
        self.random = np.random.default_rng(seed)
        self.english = Bundle.open(default_path())
        self.golden = [list(map(int, ids)) for ids in self.english.golden.token_ids]
        self.found: dict[str, object] = {}
        self.failed: list[str] = []
        self._began = time.monotonic()

    def check(self, name: str, ok: bool, what: object) -> None:
        """Print and keep a line."""
        self.found[name] = what
        if not ok:
            self.failed.append(name)
        seconds = time.monotonic() - self._began
        print(f"[{seconds:5.0f} s] {'ok  ' if ok else 'FAIL'} {name}: {what}", flush=True)

    def near(self, name: str, found: NDArray[np.float32], wanted: NDArray[np.float32], most: float = CLOSE) -> None:
        """Check that rows [sentences, dimension] are those wanted; print the largest difference of each half."""
        difference, half = np.abs(found - wanted), wanted.shape[1] // 2
        self.check(
            name,
            bool(difference.max() <= most),
            f"forward half {difference[:, :half].max():.1e}, backward half {difference[:, half:].max():.1e}",
        )

    def sentences(self, count: int, low: int = 1, high: int = 60, vocabulary: int = VOCABULARY) -> list[list[int]]:
        """Sentences of `low` to `high` random ids."""
        lengths = self.random.integers(low, high + 1, count)
        return [self.random.integers(0, vocabulary, int(length)).tolist() for length in lengths]

    def finish(self, out: Path | None) -> int:
        """Print the sum and write the figures to `out`; returns the exit code."""
        if out is not None:
            out.write_text(json.dumps(self.found, indent=1, default=str) + "\n")
        print(f"{len(self.failed)} of {len(self.found)} failed: {self.failed}" if self.failed else self._all_hold())
        return int(bool(self.failed))

    def _all_hold(self) -> str:
        return f"all {len(self.found)} hold" + (" on a stand-in; not yet on a card" if self.standin else "")


def tokens_in(batch: Sequence[Sequence[int]]) -> int:
    """Tokens that a batch costs, padding included."""
    return len(batch) * max(map(len, batch))
