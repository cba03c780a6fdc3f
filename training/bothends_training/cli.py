"""`bothends train` and `bothends evaluate`: they take a recipe or a bundle, and print tables and bars.

Imports of torch and its like stand inside the functions: `bothends --help` lists these commands without them.
"""

from pathlib import Path
from typing import get_args

import click

from bothends.options import Precision


@click.command(short_help="Train an encoder by a recipe.")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the checkpoint.  [default: checkpoints/NAME]")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path("checkpoints/teachers"),
    show_default=True,
    help="Folder of the teachers' vectors, kept from run to run.",
)
@click.option("--prepare", is_flag=True, help="Only have the teachers embed all that the run asks of them.")
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    help="With --prepare: only the teacher of this name, so that several can embed side by side.",
)
def train(recipe: Path, out: Path | None, cache: Path, prepare: bool, teachers: tuple[str, ...]) -> None:
    """Train an encoder by RECIPE, a TOML file, and leave a checkpoint that `bothends export` reads.

    A run that was stopped goes on where it was: give the same command again.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from . import recipe as recipes
    from . import train as runs

    plan = recipes.read(recipe)
    out = out or Path("checkpoints") / plan.name
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        if prepare:
            sentences = runs.prepare_run(plan, recipe.resolve().parent, cache, progress, only=teachers)
            progress.console.print(f"{sentences} sentences and copies embedded; next: the same without --prepare")
            return
        runs.train(plan, recipe.resolve().parent, out, cache, progress)
    click.echo(f"checkpoint in {out}; next: bothends export {out} --out BUNDLE")


@click.command(short_help="Score a bundle on sentence pairs, in search and on triples.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--sts",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A file of score⇥sentence⇥sentence.",
)
@click.option(
    "--retrieval",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A folder of documents.tsv, queries.tsv (id⇥text) and relevant.tsv (query⇥document).",
)
@click.option(
    "--triples",
    "triples",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A file of kind⇥sentence⇥same⇥other.",
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(get_args(Precision)),
    multiple=True,
    default=["float32"],
    show_default=True,
    help="Of the engine; several are compared.",
)
def evaluate(
    bundle: Path,
    files: tuple[Path, ...],
    folders: tuple[Path, ...],
    triples: tuple[Path, ...],
    precisions: tuple[Precision, ...],
) -> None:
    """Print Spearman × 100 of BUNDLE's cosines on scored sentence pairs, nDCG@10 × 100 of its ranking of documents, and
    the percentage of sentences that it has nearer to the same in other words than to what says something else.

    All go the service's own way.
    A column for each number of dimensions that the bundle offers; where a precision is below float32, also what its
    embeddings' cosines to float32's lack to 1, in the mean and at most.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from bothends.model.bundle import Bundle

    from .evaluate import evaluate as run
    from .evaluate import read_pairs, try_out
    from .trials import Trial, read_collection, read_triples

    if not (files or folders or triples):
        raise click.UsageError("nothing to score: give --sts, --retrieval or --triples")
    opened = Bundle.open(bundle)
    sizes = (opened.config.dimension, *reversed(opened.config.nested_dimensions))
    lossy = any(precision != "float32" for precision in precisions)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in ("file", "pairs", "precision", *map(str, sizes), *["1−cosine", "at most"] * lossy):
        table.add_column(heading, no_wrap=True)
    for score in run(opened, [read_pairs(file) for file in files], precisions, sizes):
        off = [f"{1 - cosine:.1e}" for cosine in score.to_float32] if lossy else []
        spearmans = (f"{value:.2f}" for value in score.spearman)
        table.add_row(score.pairs.name, str(len(score.pairs.scores)), score.precision, *spearmans, *off)
    trials: list[Trial] = [read_collection(folder) for folder in folders]
    trials += [kind for file in triples for kind in read_triples(file)]
    for trial, precision, values in try_out(opened, trials, precisions, sizes):
        shown = (f"{value:.2f}" for value in values)
        table.add_row(trial.name, str(trial.count), precision, *shown, *["", ""] * lossy)
    click.echo(f"{opened.config.name} {opened.config.version}: Spearman × 100, nDCG@10 × 100 or % right, by dimensions")
    Console().print(table)
