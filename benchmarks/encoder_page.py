"""Writes benchmarks/encoder.json, the packaged model's worth against its cost, as docs/encoder.md's table and a chart.

The chart and docs/quality.md's tables show benchmarks/quality.json too. Measures nothing.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import encoder_charts
import quality_page
from report import replace_between_markers
from style import mark

FILE = Path(__file__).with_name("encoder.json")
_MARKERS = ("<!-- quality:begin -->", "<!-- quality:end -->")
_DOCS = Path(__file__).parent.parent / "docs"


def renew() -> list[list[str]]:
    """Draw and write what was measured where documents show it; return the rows of encoder.md's table."""
    result = json.loads(FILE.read_bytes())
    encoder_charts.draw(result, quality_page.read(), _DOCS / "images")
    mark(encoder_charts.CHART)
    rows = list(_rows(result["models"]))
    replace_between_markers(_DOCS / "encoder.md", _text(result, rows), markers=_MARKERS)
    replace_between_markers(
        _DOCS / "quality.md", quality_page.markdown(quality_page.read()), markers=quality_page.MARKERS
    )
    return rows


def _rows(models: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    """Yield the rows of the table, its head first."""
    names = list(models[0]["scores"])
    yield ["model", "numbers", *names, "sentences/s", "batch"]
    for model in models:
        for size in reversed(model["scores"][names[0]]):
            scores = (f"{model['scores'][name][size]:.2f}" for name in names)
            yield [model["name"], size, *scores, f"{model['sentences_per_s']:,}", str(model["batch"])]


def _text(result: dict[str, Any], rows: Sequence[Sequence[str]]) -> str:
    """Return the table of docs/encoder.md, and what it is of."""
    machine = result["machine"]
    lines = [
        f"Speed: {machine['date']}, {machine['processor']}, one core, from text to vectors; sentences from "
        f"{result['source']}, sorted by length, in the batches that suit each model best; medians of interleaved "
        "rounds. Scores: Spearman × 100 on the dev splits, which chose the recipe.",
        "",
        *(f"| {' | '.join(row)} |" for row in (rows[0], [":--"] + ["--:"] * (len(rows[0]) - 1), *rows[1:])),
    ]
    return "\n".join(lines)
