"""Scores a bundle on all test data, at each precision and size, and shows the scores as tables or as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bothends.model.bundle import Bundle
from bothends.options import Precision

from .evaluate import Pairs, evaluate, try_out
from .held_out import COPIES
from .judges import Judges
from .trials import Trial, rankings

PEOPLE, SEARCH = "Spearman × 100 with people's scores of pairs", "Search: nDCG@10 × 100"
TEACHER = "Spearman × 100 with all-mpnet-base-v2's cosines, on kinds of text that were held out"
TRIPLES = "Triples: % nearer to the same in other words than to what says something else"


@dataclass(frozen=True, slots=True)
class Row:
    """Scores on one set at one precision; `scores` has one for each size."""

    measure: str
    name: str
    count: int
    """Pairs, questions or triples."""
    precision: Precision
    scores: list[float]


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """Scores of one bundle."""

    model: str
    sizes: tuple[int, ...]
    """Numbers of an embedding, the largest first."""
    rows: list[Row]
    off: dict[Precision, tuple[float, float]]
    """What a cosine of a pair's embeddings to float32's lacks to 1, in the mean and at most, at lesser precisions."""
    skipped: Sequence[str]

    def renderables(self) -> Iterator[RenderableType]:
        """Yield a table for each measure, all of the same width, then a line for each lower precision."""
        longest = max((len(row.name) for row in self.rows), default=0)
        for measure in dict.fromkeys(row.measure for row in self.rows):
            yield Text(measure, style="bold")
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
            table.add_column("", no_wrap=True, min_width=longest)
            table.add_column("count", justify="right", min_width=5)
            table.add_column("precision", min_width=9)
            for size in self.sizes:
                table.add_column(str(size), justify="right", min_width=6)
            for row in self.rows:
                if row.measure == measure:
                    scores = (f"{value:.2f}" for value in row.scores)
                    table.add_row(row.name, f"{row.count}", row.precision, *scores)
            yield table
        for precision, (mean, most) in self.off.items():
            yield f"{precision}: 1 − cosine to float32's embeddings {mean:.1e} in the mean, {most:.1e} at most"

    def as_json(self) -> dict[str, Any]:
        """Return what the tables show as JSON values."""
        return {
            "model": self.model,
            "scores": [
                {
                    "measure": row.measure,
                    "set": row.name,
                    "count": row.count,
                    "precision": row.precision,
                    "scores": {
                        str(size): round(value, 2) for size, value in zip(self.sizes, row.scores, strict=True)
                    },
                }
                for row in self.rows
            ],
            "off_float32": {
                precision: {"mean": mean, "most": most} for precision, (mean, most) in self.off.items()
            },
            "skipped": list(self.skipped),
        }  # fmt: skip


def score(
    bundle: Bundle,
    judges: Judges,
    precisions: Sequence[Precision],
    *,
    is_hybrid: bool = False,
    piece_words: int | None = None,
) -> Scoreboard:
    """Return the scores on all of `judges`, at each of `precisions` and of the sizes that the bundle offers.

    With `is_hybrid`, collections are also searched by words; with `piece_words`, also with the documents cut into
    pieces of about that many words. Raises DeviceError for a precision that no engine here offers.
    """
    sizes = (bundle.config.dimension, *reversed(bundle.config.nested_dimensions))
    own = {id(each) for each in judges.held_out}
    rows: list[Row] = []
    lacking: dict[Precision, list[tuple[float, float]]] = {}
    for found in evaluate(bundle, [*judges.pairs, *judges.held_out], precisions, sizes):
        measure = TEACHER if id(found.pairs) in own else PEOPLE
        rows.append(Row(measure, found.pairs.name, len(found.pairs.scores), found.precision, found.spearman))
        lacking.setdefault(found.precision, []).append(found.to_float32)
    rows += _means(rows, judges.held_out, precisions)
    trials = _trials(judges, is_hybrid=is_hybrid, piece_words=piece_words)
    measures = {id(trial): measure for measure, trial in trials}
    for trial, precision, scores in try_out(bundle, [trial for _, trial in trials], precisions, sizes):
        rows.append(Row(measures[id(trial)], trial.name, trial.count, precision, scores))
    order = [PEOPLE, SEARCH, TEACHER, TRIPLES]
    names = list(dict.fromkeys(row.name for row in rows))
    rows.sort(key=lambda row: (order.index(row.measure), names.index(row.name)))
    model = f"{bundle.config.name} {bundle.config.version}"
    return Scoreboard(model, sizes, rows, dict(_off(lacking)), judges.skipped)


def _trials(judges: Judges, *, is_hybrid: bool, piece_words: int | None) -> list[tuple[str, Trial]]:
    """Return all that isn't pairs, behind what a score of it means."""
    trials: list[tuple[str, Trial]] = [(SEARCH, each) for each in judges.collections]
    for found in judges.collections:
        trials += [(SEARCH, each) for each in rankings(found, piece_words=piece_words, is_hybrid=is_hybrid)]
    return [*trials, *((TRIPLES, each) for each in judges.triples)]


def _off(
    lacking: Mapping[Precision, Sequence[tuple[float, float]]],
) -> Iterator[tuple[Precision, tuple[float, float]]]:
    """Yield what cosines to float32's embeddings lack to 1 at each lesser precision, of means and least cosines."""
    for precision, cosines in lacking.items():
        if precision != "float32":
            means, leasts = zip(*cosines, strict=True)
            yield precision, (1 - float(np.mean(means)), 1 - min(leasts))


def _means(rows: Sequence[Row], held_out: Sequence[Pairs], precisions: Sequence[Precision]) -> Iterator[Row]:
    """Yield the mean over kinds of text, without those of copies, at each precision."""
    kinds = [each.name for each in held_out if each.name != COPIES]
    for precision in precisions if len(kinds) > 1 else ():
        found = [row for row in rows if row.measure == TEACHER and row.precision == precision and row.name in kinds]
        scores = np.mean([row.scores for row in found], axis=0)
        yield Row(TEACHER, f"mean of {len(kinds)} kinds", sum(row.count for row in found), precision, scores.tolist())
