"""What trial.py found in several places, beside each other."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

COLUMNS = ("where", "libc", "python", "engine", "start_s", "sha256")


def table(trials: Sequence[dict[str, Any]]) -> str:
    """Return a line for each trial with what a person reads of it, in columns."""
    rows = [[str(found[name])[:40] for name in COLUMNS] for found in trials]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def differing(trials: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each precision whose rows aren't the same bits everywhere, on x86-64 and on AArch64."""
    rows = defaultdict(set)
    for found in trials:
        precision = found["engine"].split()[0].rpartition("/")[2]
        rows[precision].add(found["sha256"])
    return [f"{precision}: rows differ" for precision, each in rows.items() if len(each) > 1]
