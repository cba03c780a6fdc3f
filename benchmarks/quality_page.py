"""Shows benchmarks/quality.json, scores on test sets of this and other models, as docs/quality.md's tables and chart.

Its figures were measured once, since nobody tunes to these sets; the page says by which commands they are repeated. The
chart shows them against the speeds of benchmarks/encoder.json.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import encoder_charts
from report import replace_between_markers
from style import mark

FILE = Path(__file__).with_name("quality.json")
SPEEDS = Path(__file__).with_name("encoder.json")
MARKERS = ("<!-- scores:begin -->", "<!-- scores:end -->")
_DOCS = Path(__file__).parent.parent / "docs"


def read() -> dict[str, Any]:
    """Return the record."""
    found: dict[str, Any] = json.loads(FILE.read_bytes())
    return found


def renew() -> None:
    """Draw and write what was measured where documents show it."""
    encoder_charts.draw(json.loads(SPEEDS.read_bytes()), read(), _DOCS / "images")
    mark(encoder_charts.CHART)
    replace_between_markers(_DOCS / "quality.md", markdown(read()), markers=MARKERS)


def markdown(record: Mapping[str, Any]) -> str:
    """Return the page's part that the record decides: what was measured here, then what others published."""
    measured, retrieval = record["measured"], record["retrieval"]
    sets = list(record["pairs"])
    return "\n\n".join([
        f"### Measured\n\n{measured['how']}; {measured['date']}.",
        "\n".join(_pairs(record, measured["models"], sets)),
        f"nDCG@10 × 100 of ranking whole texts by cosine; {retrieval['date']}.",
        "\n".join(_retrieval(retrieval)),
        "### Published by others",
        "\n".join(_published(record, sets)),
    ])  # fmt: skip


def _pairs(record: Mapping[str, Any], models: Sequence[Mapping[str, Any]], sets: Sequence[str]) -> Iterator[str]:
    yield f"| | numbers | {' | '.join(f'{name} ({count:,})' for name, count in record['pairs'].items())} |"
    yield f"| :-- | --: | {' | '.join('--:' for _ in sets)} |"
    for model in models:
        scores = " | ".join(_score(model, name) for name in sets)
        yield f"| {model['name']} | {model['numbers']} | {scores} |"


def _retrieval(retrieval: Mapping[str, Any]) -> Iterator[str]:
    queries = retrieval["queries"]
    yield f"| | numbers | {' | '.join(f'{name} ({count} questions)' for name, count in queries.items())} |"
    yield f"| :-- | --: | {' | '.join('--:' for _ in queries)} |"
    for model in retrieval["models"]:
        scores = " | ".join(_score(model, name) for name in queries)
        yield f"| {model['name']} | {model['numbers'] or ''} | {scores} |"


def _published(record: Mapping[str, Any], sets: Sequence[str]) -> Iterator[str]:
    yield f"| | {' | '.join(name.replace('SICK test', 'SICK-R, all pairs') for name in sets)} |"
    yield f"| :-- | {' | '.join('--:' for _ in sets)} |"
    for model in record["published"]:
        scores = " | ".join(_score(model, name) for name in sets)
        yield f"| [{model['name']}]({model['source']}) | {scores} |"


def _score(model: Mapping[str, Any], name: str) -> str:
    return f"{model['scores'][name]:.2f}" if name in model["scores"] else "–"
