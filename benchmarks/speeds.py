"""Writes the figures by which an installation without the native parts says how slow it is. Measures nothing."""

import json
from dataclasses import asdict
from pathlib import Path

import bothends.engines
from bothends.engines.native_parts import Speeds
from comparison.results import ComparisonResults, named
from loads import unary
from results import FLOAT32, ONNXRUNTIME, Results, ours

FILE = Path(bothends.engines.__file__).parent / "speeds.json"
_CALLERS = 8


def speeds(results: Results, comparison: ComparisonResults) -> Speeds | None:
    """Return the figures; None where a run has measured only some of them, for want of bothends-native."""
    load = unary(_CALLERS).name
    servers = (ours(FLOAT32, "native"), ours(FLOAT32, "grpcio"), ours(ONNXRUNTIME, "grpcio"))
    rows = [named(comparison.rows, server, load) for server in servers]
    ceilings = [results.ceiling(engine) for engine in (FLOAT32, ONNXRUNTIME)]
    if not all((*rows, *ceilings)):
        return None
    about = comparison.machine
    return Speeds(
        f"{about['date']}, {about['processor']}, {about['cores']} cores, which the load generator shares",
        _CALLERS,
        *(round(row.sentences_per_s) for row in rows if row),
        *(round(ceiling.best.sentences_per_s) for ceiling in ceilings if ceiling),
    )


def write(results: Results, comparison: ComparisonResults) -> None:
    """Write the file that is packaged, where all of its figures are known."""
    if (found := speeds(results, comparison)) is not None:
        FILE.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
